import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReleaseError } from '../../src/core/error.ts'
import { verifyTree } from '../../src/payload/verify.ts'
import { releasePaths } from '../../src/prefix/layout.ts'
import { isOwnPath } from '../../src/prefix/stage.ts'
import { noise } from '../support/payload.ts'
import { type StageableRelease, type StagingPrefix, stagingPrefix } from '../support/staged-release.ts'

const lines = (what: string) => Array.from({ length: 200 }, (_, line) => `line ${line} of ${what}\n`).join('')
const noiseText = noise(200_000).toString('latin1')
const oldFiles = { 'a/kept': noiseText, 'a/run.sh': lines('old'), 'b/moved': 'moved', 'b/text': lines('text') }
const nextFiles = {
  'a/kept': noiseText,
  'a/run.sh': `${lines('old')}more\n`,
  'd/moved': 'moved',
  'd/link': { link: 'moved' },
  'b/text': lines('text').replace('line 70', 'LINE 70'),
}

/** A prefix with the earlier release, and the later one with a delta pack to it. */
async function upgradable(harm?: (file: string) => void) {
  const prefix = stagingPrefix()
  const old = await prefix.make('1.0.0', oldFiles)
  const next = await prefix.make('1.1.0', nextFiles)
  await prefix.stage(old)
  const delta = await prefix.delta(old, next, harm)
  const stage = (from: Parameters<StagingPrefix['stage']>[1] = { locals: ['1.0.0'], deltas: [delta] }) =>
    prefix.stage(next, from)
  return { prefix, old, next, delta, stage }
}

async function expectWhole({ paths }: StagingPrefix, { version, payload }: StageableRelease): Promise<void> {
  const { root, incomplete } = releasePaths(paths, version)
  expect(await verifyTree(root, payload.manifest.files, { ignore: isOwnPath })).toEqual([])
  expect(fs.existsSync(incomplete)).toBe(false)
  expect(fs.readdirSync(paths.releases).filter(name => name.startsWith('.'))).toEqual([])
}

describe('a release that is staged', () => {
  it('is whole for any mix of local files, damaged ones, delta packs and segments', async () => {
    const name = fc.constantFrom('a', 'b/a', 'b/b.py', 'c/a', 'c/d/a', 'c/d/e.sh')
    const content = fc.constantFrom('', 'x', lines('x'), lines('x').replaceAll('7', 'z'), lines('y'))
    const files = fc.dictionary(name, content, { minKeys: 1, maxKeys: 6, noNullPrototype: true })
    const mix = fc.record({
      old: files,
      next: files,
      withLocal: fc.boolean(),
      delta: fc.constantFrom('none' as const, 'sound' as const, 'damaged' as const),
      damaged: fc.array(name, { maxLength: 2 }),
    })
    await fc.assert(
      fc.asyncProperty(mix, async ({ old: before, next: after, withLocal, delta, damaged }) => {
        const prefix = stagingPrefix()
        const old = await prefix.make('1.0.0', before)
        const next = await prefix.make('1.1.0', after)
        await prefix.stage(old)
        const spoil = (file: string) => fs.truncateSync(file, fs.statSync(file).size - 1)
        const deltas = delta === 'none' ? [] : [await prefix.delta(old, next, delta === 'sound' ? undefined : spoil)]
        for (const each of damaged) overwrite(path.join(prefix.paths.releases, '1.0.0', each))
        await prefix.stage(next, { locals: withLocal ? ['1.0.0'] : [], deltas })
        await expectWhole(prefix, next)
      }),
      { numRuns: 8 },
    )
  })

  it('fetches nothing but the delta pack when that brings all that is not here', async () => {
    const { prefix, next, delta, stage } = await upgradable()
    const { staging, source } = await stage()
    await expectWhole(prefix, next)
    expect(source.fetchedBytes).toBe(0)
    expect(staging.figures).toEqual({
      reusedFiles: 2,
      writtenFiles: 2,
      patchedFiles: 2,
      deltaBytes: delta.sizeBytes,
    })
    expect(fs.readdirSync(path.join(prefix.paths.cache, 'delta'))).toEqual([])
  })

  it.each([
    ['is damaged', (file: string) => fs.truncateSync(file, 100), 'DELTA_INVALID'],
    ['has another piece', (file: string) => overwriteEnd(file), 'DELTA_INVALID'],
  ])('takes segments when the delta pack %s, and says why', async (_, harm, code) => {
    const { prefix, next, stage } = await upgradable(harm)
    const { source, staging } = await stage()
    await expectWhole(prefix, next)
    expect(source.fetchedBytes).toBeGreaterThan(0)
    expect(staging.figures).toMatchObject({ writtenFiles: 2, patchedFiles: 0 })
    expect(prefix.events.filter(event => event.kind === 'warning').map(event => event.code)).toEqual([code])
  })

  it('takes segments when what the delta pack starts from was changed', async () => {
    const { prefix, next, stage } = await upgradable()
    overwrite(path.join(prefix.paths.releases, '1.0.0', 'b/text'))
    const { source } = await stage()
    await expectWhole(prefix, next)
    expect(source.fetchedBytes).toBeGreaterThan(0)
    expect(prefix.events).toContainEqual(expect.objectContaining({ kind: 'warning', code: 'DELTA_BASE_MISMATCH' }))
  })

  it('fetches anew what was changed where it was to be taken from, and says nothing else of that release', async () => {
    const { prefix, next, stage } = await upgradable()
    const kept = path.join(prefix.paths.releases, '1.0.0', 'a/kept')
    overwrite(kept)
    const { staging, source } = await stage()
    await expectWhole(prefix, next)
    expect(source.fetchedBytes).toBeGreaterThan(0)
    expect(staging.figures.reusedFiles).toBe(1)
    expect(fs.statSync(kept).nlink).toBe(1)
  })
})

describe('a staging that was interrupted', () => {
  it('goes on with the whole files of the one before, also of two before it', async () => {
    const { prefix, next, stage } = await upgradable()
    for (const kept of ['a/run.sh', 'b/text']) {
      const begun = prefix.staging(next, {})
      await begun.begin()
      fs.writeFileSync(path.join(releasePaths(prefix.paths, '1.1.0').root, kept), nextFiles[kept as 'b/text'])
      fs.writeFileSync(path.join(releasePaths(prefix.paths, '1.1.0').root, 'planted'), 'planted')
      // A recovery knows nothing of where files come from.
      await prefix.staging(next, {}).revert()
    }
    const { source, staging } = await stage({ locals: ['1.0.0'] })
    await expectWhole(prefix, next)
    expect(source.fetchedBytes).toBe(0)
    expect(staging.figures).toMatchObject({ reusedFiles: 4, writtenFiles: 0 })
  })

  it('keeps nothing of a file that is not whole', async () => {
    const { prefix, next, stage } = await upgradable()
    const begun = prefix.staging(next, {})
    await begun.begin()
    fs.writeFileSync(path.join(releasePaths(prefix.paths, '1.1.0').root, 'b/text'), nextFiles['b/text'].slice(1))
    await prefix.staging(next, {}).revert()
    const { source } = await stage({ locals: ['1.0.0'] })
    await expectWhole(prefix, next)
    expect(source.fetchedBytes).toBeGreaterThan(0)
  })

  it('keeps what was fetched when fetching breaks off, and nothing when the disk is full', async () => {
    for (const [code, left] of [
      ['SEGMENT_SHORT', ['.leftover', '1.0.0']],
      ['FILE_NO_SPACE', ['1.0.0']],
    ] as const) {
      const { prefix, next } = await upgradable()
      const failing = {
        describe: () => 'nowhere',
        fetchedBytes: 0,
        read: () => {
          throw new ReleaseError(code, 'broken')
        },
      }
      const staging = prefix.staging(next, { source: failing })
      await staging.begin()
      await expect(staging.fetch()).rejects.toMatchObject({ code })
      await staging.revert()
      expect(fs.readdirSync(prefix.paths.releases)).toEqual(left)
    }
  })
})

it('takes nothing of the active release away when it is refused to begin it', async () => {
  const { prefix, old } = await upgradable()
  fs.symlinkSync('releases/1.0.0', prefix.paths.current)
  const staging = prefix.staging(old, {})
  await expect(staging.begin()).rejects.toMatchObject({ code: 'PREFIX_DAMAGED' })
  await staging.revert()
  await expectWhole(prefix, old)
})

it('takes the stretches of a large file that did not change from the release that is here', async () => {
  const prefix = stagingPrefix()
  const large = noise(28 * 1024 * 1024)
  const old = await prefix.make('1.0.0', { large })
  const next = await prefix.make('1.1.0', { large: Buffer.concat([Buffer.from('inserted'), large]) })
  await prefix.stage(old)
  const { source } = await prefix.stage(next, { locals: ['1.0.0'] })
  await expectWhole(prefix, next)
  // Only the chunks with the file's header and with its end.
  expect(source.fetchedBytes).toBeLessThan(16 * 1024 * 1024)
  const damaged = path.join(prefix.paths.releases, '1.0.0', 'large')
  const descriptor = fs.openSync(damaged, 'r+')
  fs.writeSync(descriptor, 'other', 13 * 1024 * 1024)
  fs.closeSync(descriptor)
  const { source: again } = await prefix.stage({ ...next, version: '1.1.1' }, { locals: ['1.0.0'] })
  await expectWhole(prefix, { ...next, version: '1.1.1' })
  // And the one chunk that is another one now.
  expect(again.fetchedBytes).toBeGreaterThan(source.fetchedBytes)
  expect(again.fetchedBytes).toBeLessThan(source.fetchedBytes + 9 * 1024 * 1024)
})

function overwrite(file: string): void {
  if (!fs.existsSync(file)) return
  const content = fs.readFileSync(file)
  fs.writeFileSync(file, content.byteLength === 0 ? 'x' : content.map(byte => byte ^ 1))
}

function overwriteEnd(file: string): void {
  const content = fs.readFileSync(file)
  content[content.byteLength - 1]! ^= 1
  fs.writeFileSync(file, content)
}
