import fs from 'node:fs'
import path from 'node:path'
import { inspect, isDeepStrictEqual } from 'node:util'
import { recover } from '../../src/flow/recover.ts'
import { type PrefixPaths, prefixPaths } from '../../src/prefix/layout.ts'
import {
  commonFates,
  type DiskImage,
  type Fate,
  imageAt,
  imageDigest,
  onlyFolder,
  randomFate,
  writeImage,
} from './disk-image.ts'
import { evenly, isLong } from './kill-points.ts'
import { type BuiltCutover, ended } from './killed-cutover.ts'
import { below, copyPrefix, currentTree, differences, endOf } from './prefix-tree.ts'
import { type RecordedDisk, recordDisk } from './recorded-disk.ts'
import { recordedTools } from './recorded-tools.ts'
import { traceCommand } from './syscall-trace.ts'
import { memoryFolder } from './temp.ts'

/** A command during which the power goes. */
export interface CutCommand {
  readonly args: readonly string[]
  /** The commands that lead to where it starts. */
  readonly before: readonly (readonly string[])[]
  /** The exit code that it ends with. */
  readonly exitCode?: number
  /** Run it again in this process. Errors: those that the command may end with are the caller's to know. */
  readonly again: (paths: PrefixPaths) => Promise<unknown>
}

/** A command that was recorded, between two ends. */
export interface RecordedCommand {
  readonly command: CutCommand
  readonly paths: PrefixPaths
  readonly disk: RecordedDisk
  readonly start: ReturnType<typeof endOf>
  readonly wanted: ReturnType<typeof endOf>
}

/** Run a command undisturbed and record what it does to the disk. `init` are the words of `cutover init` behind the prefix. */
export async function recordCommand(
  cutover: BuiltCutover,
  init: readonly string[],
  command: CutCommand,
): Promise<RecordedCommand> {
  const base = memoryFolder()
  const paths = prefixPaths(path.join(base, 'prefix'))
  for (const args of [
    ['init', paths.root, ...init],
    ...command.before.map(args => [...args, '--prefix', paths.root]),
  ]) {
    const end = await ended(cutover.start(args))
    if (end.exitCode !== 0) throw new Error(`${args.join(' ')}: ${end.stdout}${end.stderr}`)
  }
  const kept = path.join(base, 'kept')
  await copyPrefix(paths.root, kept)
  const start = endOf(paths)
  const argv = [process.execPath, cutover.program, ...command.args, '--prefix', paths.root, '--json'] as const
  const calls = await traceCommand(argv, { exitCode: command.exitCode ?? 0 })
  return { command, paths, disk: recordDisk(kept, paths.root, calls), start, wanted: endOf(paths) }
}

/** An image that may be on the disk when the power goes. */
export interface Cut {
  readonly image: DiskImage
  readonly what: string
  /** It was told before that the command is done. */
  readonly isTold: boolean
}

/** The same run of a command that would not wait for the disk at some places. */
export function withoutSyncs(disk: RecordedDisk, place: RegExp): RecordedDisk {
  const changes = disk.changes.filter(change => change.kind !== 'sync' || !place.test(disk.pathOf(change.inode)))
  return { ...disk, changes }
}

/** How many points of a run are looked at, and how many fates of chance at each; in a long run all points, unless `longPoints` says how many. */
export interface CutSamples {
  readonly points: number
  readonly longPoints?: number
  readonly chances: number
}

/** Name the images that the power may leave, each content once. */
export function* cutsOf(disk: RecordedDisk, samples: CutSamples): Generator<Cut> {
  const seen = new Set<string>()
  const all = disk.changes.flatMap((change, index) => (change.kind === 'told' ? [] : [index]))
  const points = evenly(all, isLong ? (samples.longPoints ?? all.length) : samples.points)
  for (const point of [...points, disk.changes.length]) {
    const isTold = disk.changes
      .slice(0, point)
      .some(change => change.kind === 'told' && change.text.includes('"run-done"'))
    for (const fate of fatesAt(disk, point, isLong ? 12 : samples.chances)) {
      const image = imageAt(disk, point, fate)
      const digest = `${imageDigest(image)} ${isTold}`
      if (seen.has(digest)) continue
      seen.add(digest)
      const next = disk.changes[point]
      yield { image, isTold, what: `before change ${point} (${describe(disk, next)}) ${fate.name}` }
    }
  }
}

function fatesAt(disk: RecordedDisk, point: number, chances: number): readonly Fate[] {
  const folders = new Set(
    disk.changes
      .slice(0, point)
      .flatMap(change => (change.kind === 'names' ? change.set.map(({ folder }) => folder) : [])),
  )
  const single = [...folders].map(folder => ({
    ...onlyFolder(folder),
    name: `only names in ${disk.pathOf(folder)}/ are there`,
  }))
  return [...commonFates, ...single, ...Array.from({ length: chances }, (_, index) => randomFate(point * 1000 + index))]
}

function describe(disk: RecordedDisk, change: RecordedDisk['changes'][number] | undefined): string {
  if (change === undefined) return 'the end'
  if (change.kind === 'names')
    return change.set.map(({ folder, name }) => `${disk.pathOf(folder)}/${name}`).join(' and ')
  return 'inode' in change ? `${change.kind} ${disk.pathOf(change.inode)}` : change.kind
}

/** Put an image in place, recover, and run the command again. The answer is what is lost; nothing when all is well. */
export async function lossOf(
  { command, paths, start, wanted }: RecordedCommand,
  cut: Cut,
): Promise<string | undefined> {
  fs.rmSync(paths.root, { recursive: true, force: true })
  writeImage(cut.image, paths.root)
  try {
    await recover({ prefix: paths.root, waitLockMs: 0 }, recordedTools())
    const found = currentTree(paths)
    if (![start, wanted].some(end => isDeepStrictEqual(activeTree(end), found))) {
      return `current is neither what it was nor what it will be: ${inspect(found)}`
    }
    const { active } = endOf(paths).state
    if (cut.isTold && active !== wanted.state.active) return `it was told that it is done, and ${active} is active`
    await command.again(paths)
    return differences(wanted, endOf(paths)).join('\n') || undefined
  } catch (caught) {
    return inspect(caught)
  }
}

function activeTree({ state, tree }: ReturnType<typeof endOf>) {
  return state.active === undefined ? undefined : below(tree, path.join('releases', state.active))
}
