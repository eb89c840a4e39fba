import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { type PrefixPaths, prefixPaths } from '../../src/prefix/layout.ts'
import { evenly, isLong, type KillPoint, sample } from './kill-points.ts'
import type { BuiltCutover, Disturbance, ToldEnd } from './killed-cutover.ts'
import { below, copyPrefix, currentTree, differences, endOf, type PrefixTree } from './prefix-tree.ts'
import { pathsIn, traceCommand } from './syscall-trace.ts'
import { memoryFolder } from './temp.ts'

/** A command on a prefix that is to be disturbed, without `--prefix`. */
export interface Command {
  readonly args: readonly string[]
  /** The commands that lead to the prefix that it starts from. */
  readonly before: readonly (readonly string[])[]
  /** Something besides commands that leads there. */
  readonly prepare?: (paths: PrefixPaths) => void | Promise<void>
  /** It puts back one file after the other: each is as it was before or as it is after, and not all alike. */
  readonly isPiecemeal?: boolean
  /** The code that it ends with when nobody disturbs it. */
  readonly fails?: string
  /** Codes that it may also end with when it is run again: recovery may have left nothing to do. */
  readonly againFails?: readonly string[]
}

/** How many points of a command are tried: all in a long run, unless `long` says how many of those besides the journal's. */
export interface Samples {
  /** Of those right after a record of the journal; all when absent. */
  readonly records?: number
  readonly others: number
  readonly long?: number
}

/** A prefix of its own for each command that runs at the same time. */
interface Lane {
  readonly paths: PrefixPaths
  /** Undefined where there is no prefix yet. */
  readonly start: End | undefined
  readonly restore: () => Promise<void>
}

type End = ReturnType<typeof endOf>

const lanesAtOnce = 2

/** Disturbs commands and holds what comes of it against a run that nobody disturbed. */
export class Disturber {
  readonly #cutover: BuiltCutover
  readonly init: readonly string[]
  cases = 0

  /** `init` are the words of `cutover init` behind the prefix. */
  constructor(cutover: BuiltCutover, init: readonly string[]) {
    this.#cutover = cutover
    this.init = init
  }

  /** Kill a command at its points, each time from the same start, and run it again. */
  async killEach(command: Command, samples: Samples): Promise<void> {
    await this.#each(command, points => withJournal(points, samples).map(at => ({ kind: 'kill', at })))
  }

  /** Let operations of a command fail, or each and all that come after it, each time from the same start, and run it again. */
  async failEach(
    command: Command,
    samples: Samples,
    how: { readonly errnos: readonly string[]; readonly forGood?: boolean },
  ): Promise<void> {
    const { errnos, forGood = false } = how
    await this.#each(command, points => {
      const chosen = chosenOf(points.filter(isFailing), samples)
      return chosen.map((at, index) => ({ kind: 'fail', at, errno: errnos[index % errnos.length]!, forGood }))
    })
  }

  /** Let the system refuse calls of a command. Needs strace. */
  async refuseEach(command: Command, others: number, errnos: readonly string[]): Promise<void> {
    const calls = await this.#callsOf(command)
    await this.#each(command, () =>
      sample(calls, others).map((call, index) => ({ kind: 'refuse', ...call, errno: errnos[index % errnos.length]! })),
    )
  }

  /** Run a command with ever fewer descriptors. */
  async starveEach(command: Command, counts: readonly number[]): Promise<void> {
    await this.#each(command, () => counts.map(count => ({ kind: 'descriptors', count })))
  }

  /** The calls of the main thread that change files of the prefix: the n-th of their name. */
  async #callsOf(command: Command) {
    const { paths } = await this.#lane(command)
    const argv = [process.execPath, this.#cutover.program, ...onPrefix(command.args, paths), '--json'] as const
    const calls = await traceCommand(argv, { exitCode: command.fails === undefined ? 0 : 1 })
    const counts = new Map<string, number>()
    return calls.flatMap(({ pid, name, args }) => {
      if (pid !== calls[0]!.pid) return []
      const nth = (counts.get(name) ?? 0) + 1
      counts.set(name, nth)
      const isOurs = args.some(argument => pathsIn(argument).some(place => place.startsWith(paths.root)))
      // A write may as well be Node's own, which waits for no disk and dies when it is refused.
      if (name === 'write') return []
      const isChange = name !== 'openat' || args.some(argument => argument.includes('O_CREAT'))
      return isOurs && isChange ? [{ call: name, nth }] : []
    })
  }

  async #each(command: Command, choose: (points: readonly KillPoint[]) => readonly Disturbance[]): Promise<void> {
    const lanes = await Promise.all(Array.from({ length: lanesAtOnce }, () => this.#lane(command)))
    const recorded = await Promise.all(lanes.map(lane => this.#undisturbed(lane, command)))
    const left = [...choose(recorded[0]!.points)]
    expect(left.length).toBeGreaterThan(5)
    const work = async (lane: Lane, wanted: End) => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        await lane.restore()
        await this.#disturb(lane, command, { disturbance: next, wanted })
      }
    }
    await Promise.all(lanes.map((lane, index) => work(lane, recorded[index]!.end)))
  }

  async #lane(command: Command): Promise<Lane> {
    const base = memoryFolder()
    const paths = prefixPaths(path.join(base, 'prefix'))
    if (command.args[0] !== 'init') await this.#expectDone(['init', paths.root, ...this.init])
    for (const args of command.before) await this.#expectDone(onPrefix(args, paths))
    await command.prepare?.(paths)
    const kept = path.join(base, 'kept')
    await copyPrefix(paths.root, kept)
    const start = command.args[0] === 'init' ? undefined : endOf(paths)
    return { paths, start, restore: () => copyPrefix(kept, paths.root) }
  }

  async #expectDone(args: readonly string[]): Promise<void> {
    const end = await this.#cutover.run(args)
    expect(end, `${end.stdout}${end.stderr}`).toMatchObject({ exitCode: 0 })
  }

  async #undisturbed(lane: Lane, command: Command) {
    const { points, ...end } = await this.#cutover.record(onPrefix(command.args, lane.paths))
    expect(end.code, `${end.stdout}${end.stderr}`).toBe(command.fails)
    return { points, end: endOf(lane.paths) }
  }

  async #disturb(
    { paths, start }: Lane,
    command: Command,
    { disturbance, wanted }: { readonly disturbance: Disturbance; readonly wanted: End },
  ): Promise<void> {
    const what = `${command.args.join(' ')}: ${describe(disturbance)}`
    const args = onPrefix(command.args, paths)
    const first = await this.#cutover.run(args, disturbance)
    // What several threads do may come in another order, with one operation less.
    if (disturbance.kind === 'kill' && first.signal === null) return
    if (disturbance.kind !== 'kill') expectTold(first, what)
    if (command.isPiecemeal === true) expectEither(paths, [start, wanted], what)
    else expectWhole(paths, [start, wanted], what)
    const again = await this.#cutover.run(args)
    const accepted = [command.fails, ...(command.againFails ?? [])]
    expect(accepted, `${what}\n${again.stdout}${again.stderr}`).toContain(again.code)
    expect(differences(wanted, endOf(paths)), what).toEqual([])
    this.cases += 1
  }
}

/** A command that was refused something either did without it, or says what it was; Node itself does so in its own words. */
function expectTold(end: ToldEnd, what: string): void {
  expect(end.signal, what).toBeNull()
  expect(end.code, `${what}\n${end.stdout}${end.stderr}`).not.toBe('INTERNAL')
  if (end.exitCode !== 0)
    expect(end.code ?? end.stderr, what).toMatch(/^[A-Z_]+$|^error [A-Z_]+: |EMFILE|too many open files/i)
}

function describe(disturbance: Disturbance): string {
  switch (disturbance.kind) {
    case 'kill':
    case 'fail':
      return `${disturbance.kind} at ${disturbance.at.step} ${disturbance.at.operation}, ${disturbance.at.what}`
    case 'refuse':
      return `${disturbance.errno} for ${disturbance.call} ${disturbance.nth}`
    case 'descriptors':
      return `${disturbance.count} descriptors`
    case 'clock':
      return `a clock that is wrong by ${disturbance.offset}`
  }
}

/** `current` names a release as it was before or as it is after, or nothing where that is so before or after. */
function expectWhole(paths: PrefixPaths, ends: readonly (End | undefined)[], what: string): void {
  const found = currentTree(paths)
  const isWhole = ends.some(end => isDeepStrictEqual(treeOfActive(end), found))
  expect(isWhole, `${what}: current names neither what was before nor what comes after`).toBe(true)
}

function expectEither(paths: PrefixPaths, ends: readonly (End | undefined)[], what: string): void {
  const trees = ends.map(end => treeOfActive(end) ?? {})
  const found = currentTree(paths) ?? {}
  const odd = Object.keys(found).filter(name => trees.every(tree => tree[name] !== found[name]))
  expect(odd, what).toEqual([])
}

function treeOfActive(end: End | undefined): PrefixTree | undefined {
  const active = end?.state.active
  return end === undefined || active === undefined ? undefined : below(end.tree, path.join('releases', active))
}

function onPrefix(args: readonly string[], paths: PrefixPaths): readonly string[] {
  if (args[0] === 'init') return ['init', paths.root, ...args.slice(1)]
  return [...args, '--prefix', paths.root]
}

function withJournal(points: readonly KillPoint[], samples: Samples): readonly KillPoint[] {
  const records = points.filter(({ what }) => /^\S*fsync\S* .*\/journal\.ndjson$/.test(what))
  const others = points.filter(point => !records.includes(point))
  return [...sample(records, samples.records ?? records.length), ...chosenOf(others, samples)]
}

function chosenOf(points: readonly KillPoint[], { others, long }: Samples): readonly KillPoint[] {
  return evenly(points, isLong ? (long ?? points.length) : others)
}

const isFailing = ({ what }: KillPoint) => !what.startsWith('start of') && !what.startsWith('end of')
