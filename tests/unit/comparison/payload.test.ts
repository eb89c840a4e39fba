import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { comparePayloads } from '../../../src/comparison/payload.ts'
import { noise, type TestFiles, testPayload, testTree } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

const facts = { folders: [], machine: 'builder', nowSeconds: 1_790_000_000 }

async function compare(released: TestFiles, rebuilt: TestFiles) {
  const [first, second] = await Promise.all(
    [released, rebuilt].map(async files => {
      const folder = tempFolder()
      const { manifest, file, artifact } = await testPayload(folder, testTree(path.join(folder, 'tree'), files))
      return { manifest, file, payloadOffset: artifact.payloadOffset }
    }),
  )
  return comparePayloads({ released: first!, rebuilt: second! }, facts)
}

describe('two payloads', () => {
  it('are compared by the bytes of the files that changed', async () => {
    const common = { 'same.txt': 'same', 'z/old': 'x' }
    const { shown, count } = await compare(
      { ...common, 'a.txt': 'one\ntwo\n', 'gone.txt': '' },
      { ...common, 'a.txt': 'one\ntoo\n', link: { link: 'a.txt' } },
    )
    expect(count).toBe(3)
    expect(shown).toEqual([
      { where: '/opt/app/a.txt, line 2, byte 5', released: '"two"', rebuilt: '"too"', why: '' },
      { where: '/opt/app/gone.txt', released: 'file of 0 bytes, mode 644', rebuilt: 'absent', why: '' },
      { where: '/opt/app/link', released: 'absent', rebuilt: 'link to a.txt', why: '' },
    ])
  })

  it('are told by the version of the dependency that changed', async () => {
    const dependency = (version: string) => ({
      'node_modules/a/package.json': `{"version":"${version}"}`,
      'node_modules/a/x.js': `exports.version = '${version}'`,
    })
    const { shown } = await compare(dependency('1.0.0'), dependency('1.0.1'))
    expect(shown.map(({ why }) => why)).toEqual(Array(2).fill(expect.stringContaining('npm dependency a is 1.0.0')))
  })

  it('with a large file are read piece by piece, up to the byte', async () => {
    const released = noise(5 * 1024 * 1024)
    const rebuilt = Buffer.from(released)
    rebuilt[5_000_000]! ^= 1
    const { shown } = await compare({ big: released }, { big: rebuilt })
    expect(shown[0]?.where).toMatch(/^\/opt\/app\/big( \(segment \d+\))?, byte 5000000$/)
  })

  it('are shown up to a limit and counted beyond', async () => {
    const files = (text: string) => Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`f${index}`, text]))
    const { shown, count } = await compare(files('a'), files('b'))
    expect([shown.length, count]).toEqual([20, 30])
  })
})
