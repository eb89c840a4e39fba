import { describe, expect, it } from 'vitest'
import { openClient } from '../../../src/registry/client.ts'
import { codeOf } from '../../support/codes.ts'
import { registryTools } from '../../support/registry-tools.ts'

describe('an address that a registry gives', () => {
  const follow = async (text: string | undefined, base: string) => {
    const name = { registry: 'registry.example', repository: 'team/app' }
    const client = await openClient({ name, actions: 'pull', plainHttp: false, environment: {} }, registryTools())
    return () => client.follow(text, new URL(base)).href
  }
  const upload = 'https://registry.example/v2/team/app/blobs/uploads/1?a=b'

  it.each([
    ['/v2/x?_state=a%2Fb~+c', 'https://registry.example/v2/x?_state=a%2Fb~+c'],
    ['2?c=d', 'https://registry.example/v2/team/app/blobs/uploads/2?c=d'],
    ['https://storage.example/put?sig=1', 'https://storage.example/put?sig=1'],
    ['//storage.example/put', 'https://storage.example/put'],
  ])('%s leads to %s', async (text, expected) => {
    expect((await follow(text, upload))()).toBe(expected)
  })

  it.each(['http://registry.example/x', 'ftp://registry.example/x', 'file:///etc/passwd', 'https://a:b@c.example/'])(
    '%s is not followed',
    async text => {
      expect(codeOf(await follow(text, upload))).toBe('REGISTRY_INSECURE')
    },
  )

  it.each([undefined, 'https://', 'http://[x'])('%s is none', async text => {
    expect(codeOf(await follow(text, upload))).toBe('REGISTRY_PROTOCOL')
  })

  it('may stay without TLS where there was none', async () => {
    expect((await follow('http://b.example/x', 'http://a.example/'))()).toBe('http://b.example/x')
  })
})
