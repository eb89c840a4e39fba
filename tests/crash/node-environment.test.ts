import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toReleaseError } from '../../src/core/error.ts'
import { init } from '../../src/flow/init.ts'
import { install } from '../../src/flow/install.ts'
import { rollback } from '../../src/flow/rollback.ts'
import { currentVersion } from '../../src/prefix/installed.ts'
import { readJournal } from '../../src/prefix/journal.ts'
import { type PrefixPaths, prefixPaths } from '../../src/prefix/layout.ts'
import { replay } from '../../src/prefix/state.ts'
import { publishToy, repeatable } from '../support/crash-releases.ts'
import { sample } from '../support/kill-points.ts'
import { type BuiltCutover, builtCutover } from '../support/killed-cutover.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { below, copyPrefix, currentTree, differences, endOf } from '../support/prefix-tree.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const dayMs = 86_400_000
/** Registered when the file is loaded: a hook that is registered while a test runs is never called. */
const mounts: string[] = []
afterAll(() => {
  for (const place of mounts.splice(0)) execFileSync('umount', ['-l', place])
})
const canMount = mounted(tempFolder(), '')

let repository: MadeRepository
let cases = 0

beforeAll(async () => {
  repository = await makeRepository(tempFolder(), { applications: ['toy'] })
  await publishToy(repository, '1.0.0')
  await publishToy(repository, '1.1.0', { migrations: [repeatable('expand'), repeatable('short')] })
})

afterAll(() => console.log(`trouble around a node: ${cases} commands, 0 lost`))

/** Mount a small file system in memory, for the length of the test file. */
function mounted(place: string, options: string): boolean {
  try {
    fs.mkdirSync(place, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=8m${options}`, 'tmpfs', place], { stdio: 'ignore' })
  } catch {
    // Not root, or a container that may not mount.
    return false
  }
  mounts.push(place)
  return true
}

async function prefixAt(root: string): Promise<PrefixPaths> {
  const options = { prefix: root, repository: repository.url, application: 'toy', cutover: ['cutover'] }
  await init(options, recordedTools())
  return prefixPaths(root)
}

const put = (paths: PrefixPaths, version: string, nowMs = Date.now()) =>
  install({ prefix: paths.root, version }, recordedTools({ nowMs }))

const codeOf = (run: Promise<unknown>) =>
  run.then(
    () => undefined,
    caught => toReleaseError(caught).code,
  )

describe.skipIf(!canMount)('a disk', () => {
  const disk = tempFolder()
  const inodes = 400
  mounted(disk, `,nr_inodes=${inodes}`)
  const paths = prefixPaths(path.join(disk, 'prefix'))
  const kept = path.join(tempFolder(), 'kept')
  let start: ReturnType<typeof endOf>
  let wanted: ReturnType<typeof endOf>

  beforeAll(async () => {
    await put(await prefixAt(paths.root), '1.0.0')
    await copyPrefix(paths.root, kept)
    start = endOf(paths)
    await put(paths, '1.1.0')
    wanted = endOf(paths)
  })

  it.each([
    ['inodes', (left: number) => fillInodes(left), Array.from({ length: 40 }, (_, index) => index)],
    ['room', (left: number) => fillBlocks(left), Array.from({ length: 60 }, (_, index) => index)],
  ] as const)(
    'without %s at any write leaves the old version, and the new one comes once there is some',
    async (_, fill, lefts) => {
      for (const left of sample(lefts, 5)) {
        await copyPrefix(kept, paths.root)
        fill(left)
        const code = await codeOf(put(paths, '1.1.0'))
        const what = `${left} left: ${code}`
        expect([undefined, 'FILE_NO_SPACE', 'JOURNAL_FULL', 'SETUP_FAILED', 'MIGRATION_FAILED'], what).toContain(code)
        const ends = [start, wanted].map(end => below(end.tree, path.join('releases', end.state.active!)))
        expect(ends, what).toContainEqual(currentTree(paths))
        empty()
        await install({ prefix: paths.root, version: '1.1.0', retry: true }, recordedTools())
        expect(differences(wanted, endOf(paths)), what).toEqual([])
        cases += 1
      }
    },
  )

  function fillInodes(left: number): void {
    fs.mkdirSync(path.join(disk, 'fill'))
    for (let free = Number(fs.statfsSync(disk).ffree); free > left; free -= 1) {
      fs.writeFileSync(path.join(disk, 'fill', `${free}`), '')
    }
  }

  function fillBlocks(left: number): void {
    fs.mkdirSync(path.join(disk, 'fill'))
    const { bavail, bsize } = fs.statfsSync(disk)
    fs.writeFileSync(path.join(disk, 'fill', 'blocks'), Buffer.alloc(Math.max(0, (bavail - left) * bsize)))
  }

  function empty(): void {
    fs.rmSync(path.join(disk, 'fill'), { recursive: true })
  }
})

describe('a file system that becomes read-only, for the system found a mistake in it', () => {
  const disk = brokenDisk()

  it.skipIf(disk === undefined).each(['expand', 'short'])(
    'during %s leaves the old version to be read, and the same command ends what it finds once it is mended',
    async when => {
      const paths = await prefixAt(path.join(disk!.place, when))
      await put(paths, '1.0.0')
      const isMended = path.join(tempFolder(), 'mended')
      const version = { expand: '2.0.1', short: '2.0.2' }[when]!
      const run = `test -e ${isMended} || echo trouble > ${disk!.trigger()}`
      await publishToy(repository, version, { migrations: [{ ...repeatable(when), run }] })

      expect(await codeOf(put(paths, version))).toBe('RECOVERY_INCOMPLETE')
      expect(currentVersion(paths)).toBe('1.0.0')
      expect(await codeOf(put(paths, version))).toBe('FILE_IO')
      disk!.mend()
      fs.writeFileSync(isMended, '')
      await install({ prefix: paths.root, version, retry: true }, recordedTools())
      expect(endOf(paths).state).toMatchObject({ active: version, unfinished: undefined })
      cases += 1
    },
  )
})

interface BrokenDisk {
  readonly place: string
  /** The file that tells the system of trouble when something is written to it. */
  readonly trigger: () => string
  readonly mend: () => void
}

/** A file system on a disk of its own that can be told that it is broken. Source: ext4(5), errors=remount-ro; sysfs, trigger_fs_error. */
function brokenDisk(): BrokenDisk | undefined {
  const place = tempFolder()
  let file = path.join(tempFolder(), 'disk')
  const run = (program: string, ...args: string[]) =>
    execFileSync(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const mount = () => run('mount', '-o', 'loop,errors=remount-ro', file, place)
  try {
    fs.writeFileSync(file, '')
    fs.truncateSync(file, 32 * 1024 * 1024)
    run('mkfs.ext4', '-q', '-F', file)
    mount()
  } catch {
    // Not root, or a container without loop devices.
    return undefined
  }
  mounts.push(place)
  return {
    place,
    trigger: () =>
      `/sys/fs/ext4/${path.basename(String(run('findmnt', '-no', 'SOURCE', place)).trim())}/trigger_fs_error`,
    mend: () => {
      run('umount', place)
      // A container that was started meanwhile may still have the old one mounted.
      const copy = path.join(tempFolder(), 'disk')
      run('cp', '--sparse=always', file, copy)
      file = copy
      // It ends with 1 when it has mended something.
      run('sh', '-c', 'e2fsck -fy "$1" || test $? -eq 1', 'sh', file)
      mount()
    },
  }
}

describe.skipIf(!canMount)('a part of the prefix on another file system', () => {
  it.each(
    ['releases', 'shared', 'cache', 'trust', 'journal', 'run'].flatMap(part => [
      [part, 'mounted'] as const,
      [part, 'behind a link'] as const,
    ]),
  )('changes nothing: %s, %s', async (part, how) => {
    const paths = prefixPaths(path.join(tempFolder(), 'prefix'))
    const place = path.join(paths.root, part)
    const other = how === 'mounted' ? place : path.join(tempFolder(), 'other')
    mounted(other, '')
    fs.mkdirSync(paths.root, { recursive: true })
    if (how !== 'mounted') fs.symlinkSync(other, place)
    await prefixAt(paths.root)
    await put(paths, '1.0.0')
    await put(paths, '1.1.0')
    await rollback({ prefix: paths.root }, recordedTools())
    await install({ prefix: paths.root, version: '1.1.0', retry: true }, recordedTools())
    expect(currentVersion(paths)).toBe('1.1.0')
    expect(fs.readFileSync(path.join(paths.current, 'version.txt'), 'utf8')).toBe('1.1.0')
    expect(replay(readJournal(paths.journal))).toMatchObject({ active: '1.1.0', unfinished: undefined })
    cases += 1
  })
})

describe('a clock', () => {
  it('that is set back between two commands stops nothing and loses nothing', async () => {
    const paths = await prefixAt(path.join(tempFolder(), 'prefix'))
    const nowMs = Date.now()
    await put(paths, '1.0.0', nowMs)
    await put(paths, '1.1.0', nowMs - 30 * dayMs)
    await rollback({ prefix: paths.root }, recordedTools({ nowMs: nowMs - 60 * dayMs }))
    const later = recordedTools({ nowMs: nowMs - 90 * dayMs })
    await install({ prefix: paths.root, version: '1.1.0', retry: true }, later)
    expect(endOf(paths).state).toMatchObject({ active: '1.1.0', activations: ['1.0.0', '1.1.0'] })
    cases += 4
  })

  it('that goes back with every release has the oldest release removed all the same', async () => {
    const versions = ['3.0.0', '3.0.1', '3.0.2', '3.0.3', '3.0.4', '3.0.5', '3.0.6']
    for (const version of versions) await publishToy(repository, version)
    const paths = await prefixAt(path.join(tempFolder(), 'prefix'))
    const nowMs = Date.now()
    for (const [index, version] of versions.entries()) await put(paths, version, nowMs - index * dayMs)
    expect(Object.keys(endOf(paths).state.statuses).sort()).toEqual(versions.slice(-5))
    cases += versions.length
  })

  it.skipIf(!needTool('faketime'))('that the whole machine has wrong is no reason to lose what is there', async () => {
    const cutover = await builtCutover()
    const paths = await prefixAt(path.join(tempFolder(), 'prefix'))
    await put(paths, '1.0.0')
    const args = ['install', '--version', '1.1.0', '--prefix', paths.root]
    const late = await cutover.run(args, { kind: 'clock', offset: '+20y' })
    // It goes on with what it knew, and says so.
    expect(late).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('TRUST_EXPIRED') })
    await rollback({ prefix: paths.root }, recordedTools())
    const early = await cutover.run([...args, '--retry'], { kind: 'clock', offset: '-3d' })
    expect(early, `${early.stdout}${early.stderr}`).toMatchObject({ exitCode: 0 })
    expect(endOf(paths).state).toMatchObject({ active: '1.1.0', unfinished: undefined })
    cases += 2
  })
})

describe('two installations at once', () => {
  let cutover: BuiltCutover

  beforeAll(async () => {
    cutover = await builtCutover()
  })

  const rounds = sample(
    Array.from({ length: 20 }, (_, index) => index),
    4,
  )

  it.each([
    ['of one version, neither of which waits', ['1.1.0', '1.1.0'], '0s'],
    ['of one version, which wait', ['1.1.0', '1.1.0'], '60s'],
    ['of two versions, neither of which waits', ['1.1.0', '4.0.0'], '0s'],
    ['of two versions, which wait', ['1.1.0', '4.0.0'], '60s'],
  ] as const)('%s, are one after the other', async (_, versions, wait) => {
    await publishToy(repository, '4.0.0').catch(() => undefined)
    for (const _round of rounds) {
      const paths = await prefixAt(path.join(tempFolder(), 'prefix'))
      await put(paths, '1.0.0')
      const flags = ['--prefix', paths.root, '--wait-lock', wait, '--allow-downgrade']
      const ends = await Promise.all(versions.map(version => cutover.run(['install', '--version', version, ...flags])))
      const locked = ends.filter(end => end.code === 'LOCKED')
      expect(ends.filter(end => end.exitCode === 0 || end.code === 'LOCKED')).toHaveLength(2)
      expect(locked.length).toBeLessThanOrEqual(wait === '0s' ? 1 : 0)
      for (const end of locked) expect(end.stdout).toMatch(/held by (install|another process)/)
      const { state } = endOf(paths)
      expect(state.unfinished).toBeUndefined()
      expect(versions).toContain(state.active)
      expect(currentVersion(paths)).toBe(state.active)
      cases += 2
    }
  })
})
