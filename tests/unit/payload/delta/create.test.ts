import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { createDelta } from '../../../../src/payload/delta/create.ts'
import { readDelta } from '../../../../src/payload/delta/open.ts'
import type { SegmentSource } from '../../../../src/payload/source.ts'
import { applied, sidesOf, testDelta } from '../../../support/delta.ts'
import { noise } from '../../../support/payload.ts'
import { tempFolder } from '../../../support/temp.ts'

const oldFiles = { 'a/one': 'one\n'.repeat(100), 'b/moved': noise(50_000), 'c/same': noise(2000, 2) }
const nextFiles = { 'a/one': 'one\n'.repeat(101), 'c/moved': noise(50_000), 'c/same': noise(2000, 2) }

describe('createDelta', () => {
  it('spends no bytes on files that are the same or were moved', async () => {
    const { bytes } = await testDelta(oldFiles, nextFiles)
    expect(bytes.byteLength).toBeLessThan(1000)
    const { copies, files } = readDelta(bytes).index
    expect(copies.map(({ path }) => path)).toEqual(['c/moved'])
    expect(files).toEqual(['a/one'])
  })

  it('gives the same bytes in another run, and nothing else stays behind', async () => {
    const made = await testDelta(oldFiles, nextFiles)
    const file = path.join(tempFolder(), 'again')
    for (const name of ['again.work', 'again.part']) fs.writeFileSync(path.join(path.dirname(file), name), 'killed run')
    const artifact = await createDelta({ ...sidesOf(made), file })
    expect(artifact.digest).toBe(made.artifact.digest)
    expect(fs.readFileSync(file).equals(made.bytes)).toBe(true)
    expect(fs.readdirSync(path.dirname(file))).toEqual(['again'])
  })

  it('says in one small pack that nothing has changed', async () => {
    const made = await testDelta(oldFiles, oldFiles)
    expect(readDelta(made.bytes).index).toMatchObject({ bases: [], copies: [], files: [], pieces: [] })
    expect((await applied(made, made.file)).written.size).toBe(0)
  })

  it('takes content that looks like a dictionary of zstd for content', async () => {
    const old = Buffer.concat([Buffer.from('37a430ec', 'hex'), noise(3000)])
    const next = Buffer.concat([old, Buffer.from('more')])
    const made = await testDelta({ old }, { old: next })
    expect(made.bytes.byteLength).toBeLessThan(1000)
    const { folder } = await applied(made, made.file)
    expect(fs.readFileSync(path.join(folder, 'old')).equals(next)).toBe(true)
  })

  it.each(['old', 'new'] as const)('leaves nothing when the %s payload cannot be read', async side => {
    const made = await testDelta(oldFiles, nextFiles)
    const sides = sidesOf(made)
    const broken: SegmentSource = {
      describe: () => 'broken',
      fetchedBytes: 0,
      // biome-ignore lint/correctness/useYield: it fails before there is anything.
      read: async function* () {
        throw Object.assign(new Error('disk full'), { code: 'ENOSPC', errno: -28, syscall: 'read' })
      },
    }
    const file = path.join(tempFolder(), 'delta')
    const making = createDelta({ ...sides, [side]: { ...sides[side], source: broken }, file })
    await expect(making).rejects.toEqual(expect.objectContaining({ code: 'FILE_NO_SPACE' }))
    expect(fs.readdirSync(path.dirname(file))).toEqual([])
  })

  it('ends with the reason of its signal', async () => {
    const made = await testDelta(oldFiles, nextFiles)
    const reason = new Error('enough')
    const file = path.join(tempFolder(), 'delta')
    const making = createDelta({ ...sidesOf(made), file, signal: AbortSignal.abort(reason) })
    await expect(making).rejects.toBe(reason)
    expect(fs.readdirSync(path.dirname(file))).toEqual([])
  })
})
