import { ReleaseError, toReleaseError } from '../core/error.ts'
import type { OpEffect } from '../prefix/apply.ts'
import { readInstalledRecipe } from '../prefix/installed.ts'
import { type Canary, judgeCanary } from './canary.ts'
import { drainLimits } from './serve-mode.ts'
import type { ServingProcess } from './serving.ts'
import {
  assertHealthy,
  idle,
  type ServingChange,
  startTimeoutMs,
  stopTimeouts,
  unhealthy,
  whileServing,
} from './serving-effects.ts'

/** The operations that have two versions run side by side. */
export type OverlapOp = 'start-beside' | 'canary' | 'promote' | 'retire'

/**
 * Bind the operations that have two versions run side by side to a change. Without a serving process none of them has an effect.
 *
 * What is taken back looks at what runs, not at what was done: the serving process may have been started anew meanwhile, and then serves
 * what `current` names.
 */
export function overlapEffects(
  serving: ServingProcess | undefined,
  change: ServingChange,
  canary: Canary | undefined,
): Readonly<Record<OverlapOp, OpEffect>> {
  if (serving === undefined) return { 'start-beside': idle, canary: idle, promote: idle, retire: idle }
  const { version, from, paths } = change
  const never = () => false
  const keep = () => {}
  const isLive = async () => (await serving.status()).version === version
  const reverted = (revert: () => Promise<void>) => () => whileServing(paths, revert)
  return {
    'start-beside': {
      isDone: isLive,
      apply: async () => void (await startBeside(serving, change)),
      revert: reverted(async () => {
        await bringBack(serving, change)
        await retire(serving, change, version)
      }),
    },
    canary: { isDone: isLive, apply: () => tryOut(serving, change, canary), revert: keep },
    promote: {
      isDone: isLive,
      apply: async () => void (await promote(serving, change, version)),
      revert: reverted(() => bringBack(serving, change)),
    },
    retire: { isDone: never, apply: () => retire(serving, change, from), revert: keep },
  }
}

async function startBeside(serving: ServingProcess, change: ServingChange): Promise<void> {
  const { version } = change
  try {
    await serving.request({ kind: 'start-beside', version }, startTimeoutMs(change.recipe().node.services))
  } catch (caught) {
    throw await blamed('could not be started beside the active version', { serving, change, caught })
  }
}

/** Send a part of the clients to the version for a while. Errors: INSTALL_UNHEALTHY with the figures of both. */
async function tryOut(serving: ServingProcess, change: ServingChange, asked: Canary | undefined): Promise<string> {
  const { version, signal } = change
  const { health, gate } = change.recipe().node
  const { share, forMs } = asked ?? { share: gate.canary.share, forMs: gate.canary.for }
  const cookieSeconds = Math.ceil(forMs / 1000)
  const { status } = await serving.request(
    { kind: 'route', version, share, cookie: gate.canary.cookie, cookieSeconds },
    0,
  )
  const before = status.beside!
  const verdict = await serving.watch(
    { ...health, watch: forMs },
    { version, signal, judge: ({ beside }) => judgeCanary(before, beside, gate.canary.failures) },
  )
  return assertHealthy(verdict, { how: `with ${share * 100} % of the clients did not stay`, serving, change })
}

async function promote(serving: ServingProcess, change: ServingChange, promoted: string): Promise<void> {
  const { version, from, paths } = change
  const other = promoted === version ? from : version
  const stopMs = stopTimeouts(paths, other).reduce((sum, each) => sum + each, 0)
  try {
    const { node } = promoted === version ? change.recipe() : readInstalledRecipe(paths, promoted)
    await serving.request({ kind: 'promote', version: promoted }, startTimeoutMs(node.services) + stopMs)
  } catch (caught) {
    if (promoted !== version) throw caught
    throw await blamed('could not take over', { serving, change, caught })
  }
}

/** What the version does wrong is its own fault; that nobody could be asked is not. */
async function blamed(
  what: string,
  {
    serving,
    change,
    caught,
  }: { readonly serving: ServingProcess; readonly change: ServingChange; readonly caught: unknown },
): Promise<ReleaseError> {
  const error = toReleaseError(caught)
  if (notItsFault.has(error.code)) return error
  return unhealthy(`${what}: ${error.message}`, { serving, change }, error)
}

const notItsFault: ReadonlySet<string> = new Set(['GATE_UNREACHABLE', 'OVERLAP_UNSUPPORTED', 'OVERLAP_LOST'])

async function retire(
  serving: ServingProcess,
  change: ServingChange,
  retired: string | undefined,
): Promise<string | undefined> {
  if (retired === undefined) return undefined
  const limits = drainLimits(change.recipe().node.gate.drain)
  const stopMs = stopTimeouts(change.paths, retired).reduce((sum, each) => sum + each, 0)
  const limitMs = limits.timeoutMs + limits.streamsMs + stopMs
  const { result } = await serving.request({ kind: 'retire', version: retired, ...limits }, limitMs)
  return result?.evidence
}

/**
 * Have the version before get the requests again, from where it is: it may be live, run beside, or have to be started.
 *
 * That it may not be healthy any more is no reason to stay with a version that failed. Where it cannot be run beside, requests wait.
 */
async function bringBack(serving: ServingProcess, change: ServingChange): Promise<void> {
  const { from, paths, emit } = change
  if (from === undefined || (await serving.status()).version === from) return
  const { node } = readInstalledRecipe(paths, from)
  try {
    await serving.request({ kind: 'start-beside', version: from }, startTimeoutMs(node.services))
    const verdict = await serving.awaitHealth(node.health, { version: from })
    if (!verdict.ok)
      emit({ kind: 'warning', code: 'INSTALL_UNHEALTHY', message: `${from} runs again, but: ${verdict.evidence}` })
    await promote(serving, change, from)
  } catch (caught) {
    if (!(caught instanceof ReleaseError) || caught.code !== 'OVERLAP_UNSUPPORTED') throw caught
    await serving.start(from, startTimeoutMs(node.services))
  }
}
