import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { openTarget } from '../../../../src/repository/targets/open.ts'
import { codeOf } from '../../../support/codes.ts'

const open = (place: string) => openTarget(place, { cwd: '/srv', environment: {} })

describe('a place', () => {
  it.each([
    ['repository', '/srv/repository'],
    ['/srv/a:b', '/srv/a:b'],
    ['file:///srv/a%20b', '/srv/a b'],
    ['https://a.example/vendor/', 'https://a.example/vendor/'],
    ['HTTP://A.example/vendor', 'http://a.example/vendor'],
    ['s3://bucket/a%20b/c/?endpoint=https://s.example&region=x&path-style=1', 's3://bucket/a b/c'],
    ['s3://bucket', 's3://bucket/'],
  ])('%s is %s', (place, name) => {
    expect(open(place).name).toBe(name)
  })

  it.each([
    'ftp://user:s3cret@a.example/',
    'https://',
    's3:',
    's3:///x',
    's3://bucket/x?endpont=https://s.example',
    's3://bucket/x?endpoint=nowhere',
    's3://bucket/x?endpoint=https://u:s3cret@s.example',
    's3://bucket/%zz',
    's3://bucket:9000/x?endpoint=https://s.example',
    's3://bucket/x?endpoint=https://s.example#top',
    's3://bucket/x?endpoint=https://s.example&path-style=true',
    'file://a.example/x',
  ])('%s is none', place => {
    let told = ''
    const code = codeOf(() => {
      try {
        open(place)
      } catch (caught) {
        told = JSON.stringify(caught)
        throw caught
      }
    })
    expect(code).toBe('TARGET_UNKNOWN')
    expect(told).not.toContain('s3cret')
  })

  it('in the cloud has a region, which is not guessed', async () => {
    // The library looks by itself where the machine may have one.
    vi.stubEnv('AWS_REGION', undefined)
    for (const file of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(file, '/dev/null')
    onTestFinished(() => void vi.unstubAllEnvs())
    await expect(open('s3://bucket/x').head('a')).rejects.toMatchObject({
      code: 'TARGET_UNKNOWN',
      hint: expect.stringContaining('region='),
    })
  })

  it.each(['s3://u:s3cret@bucket/x', 's3://bucket/x?endpoint=http://s.example', 'https://u:s3cret@a.example/'])(
    '%s would show or send a password as it should not',
    place => {
      expect(codeOf(() => open(place))).toBe('TARGET_CREDENTIALS')
    },
  )
})
