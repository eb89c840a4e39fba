import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { install } from '../../src/flow/install.ts'
import { type Resolver, resolveFromFolder } from '../../src/flow/resolve.ts'
import { currentVersion } from '../../src/prefix/installed.ts'
import { readJournal } from '../../src/prefix/journal.ts'
import { replay } from '../../src/prefix/state.ts'
import { noise } from '../support/payload.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { type ToyInstallation, toyInstallation } from '../support/toy-release.ts'

const diskBytes = 16 * 1024 * 1024
const disk = tempFolder()
const isMounted = mountDisk()
afterAll(() => {
  if (isMounted) execFileSync('umount', [disk])
})

describe.skipIf(!isMounted)('a full disk', () => {
  it('is found before anything is written', async () => {
    const toy = await onDisk('before')
    const before = fs.readFileSync(toy.paths.journal)
    const resolve = await cut(toy, { 'big.bin': noise(diskBytes) })
    expect(await failure(toy, resolve)).toMatchObject({ code: 'FILE_NO_SPACE' })
    expectUnchanged(toy)
    // The operation was begun and taken back: that is all that the journal tells.
    expect(fs.readFileSync(toy.paths.journal).subarray(0, before.length)).toEqual(before)
  })

  it('that fills up while files are written leaves the old version and no trace of the new', async () => {
    const toy = await onDisk('while-writing')
    const resolve = filling(await cut(toy, { 'big.bin': noise(4_000_000) }), () => fill(300_000))
    expect(await failure(toy, resolve)).toMatchObject({ code: 'FILE_NO_SPACE', retryable: true })
    expectUnchanged(toy)
    makeRoom()
    expect(await put(toy, resolve)).toMatchObject({ version: '1.1.0', changed: true })
  })

  it('that leaves no room for the journal either is survived: what is taken back makes room', async () => {
    const toy = await onDisk('journal')
    const greedy = { name: 'greedy', phase: 'expand', run: `cat /dev/zero > ${disk}/fill || true` }
    // More records than the last block of the journal has room for.
    const idle = Array.from({ length: 30 }, (_, index) => ({ name: `idle-${index}`, phase: 'expand', run: 'exit 0' }))
    const migrations = [greedy, ...idle]
    const resolve = await cut(toy, { 'some.bin': noise(2_000_000) }, { migrations })
    expect(await failure(toy, resolve)).toMatchObject({ code: 'JOURNAL_FULL' })
    expectUnchanged(toy)
  })

  it('from the beginning is told, and nothing is begun', async () => {
    const toy = await onDisk('full')
    const resolve = await cut(toy, {})
    const records = readJournal(toy.paths.journal).length
    // The journal's last block has room for a record or two.
    fill(0)
    for (let error = await failure(toy, resolve); error.code !== 'JOURNAL_FULL'; error = await failure(toy, resolve)) {
      expect(error.code).toBe('FILE_NO_SPACE')
    }
    makeRoom()
    expect(currentVersion(toy.paths)).toBe('1.0.0')
    expect(readJournal(toy.paths.journal).length).toBeGreaterThanOrEqual(records)
    expect(await put(toy, resolve)).toMatchObject({ version: '1.1.0', changed: true })
  })
})

function mountDisk(): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', disk], { stdio: 'ignore' })
    return true
  } catch {
    // Not root, or a container that may not mount.
    return false
  }
}

/** A prefix on the small disk, alone there, with 1.0.0; releases are made elsewhere. */
async function onDisk(name: string): Promise<ToyInstallation> {
  for (const entry of fs.readdirSync(disk)) fs.rmSync(path.join(disk, entry), { recursive: true })
  const { paths } = toyInstallation(path.join(disk, name))
  const { dist, cut: cutElsewhere } = toyInstallation()
  const toy = { paths, dist, cut: cutElsewhere }
  await install(
    { prefix: paths.root, resolve: resolveFromFolder(await cutElsewhere({ version: '1.0.0' })) },
    recordedTools(),
  )
  return toy
}

async function cut(toy: ToyInstallation, files: Record<string, Buffer>, node = {}): Promise<Resolver> {
  return resolveFromFolder(await toy.cut({ version: '1.1.0', files, node }))
}

/** A resolver whose bytes come when the disk has filled up. */
function filling(resolver: Resolver, run: () => void): Resolver {
  let isFirst = true
  return {
    newest: resolver.newest,
    release: async (application, version) => {
      const release = await resolver.release(application, version)
      return {
        ...release,
        source: async (manifest, onFailure) => {
          const source = await release.source(manifest, onFailure)
          return {
            describe: source.describe,
            get fetchedBytes() {
              return source.fetchedBytes
            },
            read: (segments, signal) => {
              if (isFirst) run()
              isFirst = false
              return source.read(segments, signal)
            },
          }
        },
      }
    },
  }
}

/** Take all room but `leftBytes`. */
function fill(leftBytes: number): void {
  const descriptor = fs.openSync(path.join(disk, 'fill'), 'w')
  const { bavail, bsize } = fs.statfsSync(disk)
  const block = Buffer.alloc(bsize)
  for (let blocks = bavail - Math.ceil(leftBytes / bsize); blocks > 0; blocks -= 1) fs.writeSync(descriptor, block)
  fs.closeSync(descriptor)
}

function makeRoom(): void {
  fs.rmSync(path.join(disk, 'fill'))
}

function put(toy: ToyInstallation, resolve: Resolver) {
  return install({ prefix: toy.paths.root, version: '1.1.0', resolve }, recordedTools())
}

async function failure(toy: ToyInstallation, resolve: Resolver): Promise<Error & { code: string }> {
  try {
    await put(toy, resolve)
  } catch (caught) {
    return caught as Error & { code: string }
  }
  throw new Error('expected an error')
}

function expectUnchanged(toy: ToyInstallation): void {
  expect(currentVersion(toy.paths)).toBe('1.0.0')
  expect(fs.readdirSync(toy.paths.releases)).toEqual(['1.0.0'])
  const state = replay(readJournal(toy.paths.journal))
  expect(state).toMatchObject({ active: '1.0.0', unfinished: undefined, avoided: new Set() })
}
