import path from 'node:path'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import { formatDuration } from '../core/quantity.ts'
import { connectControl } from '../gate/control/client.ts'
import { controlSocket, type ServeStatus } from '../gate/control/protocol.ts'
import type { OpEffect } from '../prefix/apply.ts'
import type { LogTail } from '../prefix/failure-record.ts'
import { readInstalledRecipe } from '../prefix/installed.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import { redactor } from '../prefix/redact.ts'
import { readSecrets } from '../prefix/secrets.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import type { RecipeService } from '../recipe/schema.ts'
import { otherPlace, type RunningPlace, runningName, runningPlaceOf } from '../service/names.ts'
import { delay } from '../sys/clock.ts'
import { readLastLines } from '../sys/log-file.ts'
import type { ServingProcess, Verdict } from './serving.ts'

/** What the operations on the gate and the services work on. */
export interface ServingChange {
  readonly paths: PrefixPaths
  readonly version: string
  readonly from: string | undefined
  readonly recipe: () => InstalledRecipe
  readonly emit: Emit
  readonly signal: AbortSignal
}

/** The operations that talk to the serving process. */
export type ServingOp = 'soften' | 'hold' | 'drain' | 'stop' | 'start' | 'probe' | 'pass' | 'watch'

const logLines = 12
/** What cannot say at once how it is must not keep the version before from coming back. */
const statusTimeoutMs = 2000
/** How long the services of a version may take to end whose recipe cannot be read any more. */
const unknownStopMs = 60_000

/** Bind the operations on the gate and the services to a change. Without a serving process none of them has an effect. */
export function servingEffects(
  serving: ServingProcess | undefined,
  change: ServingChange,
): Readonly<Record<ServingOp, OpEffect>> {
  if (serving === undefined) return idleEffects
  const { version, from, signal } = change
  const node = () => change.recipe().node
  const reason = `${from ?? 'nothing'} → ${version}`
  const never = () => false
  const keep = () => {}
  const hold = () => serving.enterHold(reason, node().gate.hold.deadline)
  const pass = () => serving.leaveHold(reason)
  const stop = (stopped: string | undefined) => serving.stop(stopTimeouts(change.paths, stopped))
  const reverted = (revert: () => Promise<void>) => () => whileServing(change.paths, revert)
  return {
    soften: {
      isDone: never,
      apply: () => soften(serving, reason, change),
      revert: reverted(async () => void (await unlessUnsoftenable(() => serving.endSoft(reason)))),
    },
    hold: { isDone: never, apply: async () => void (await hold()), revert: reverted(pass) },
    drain: { isDone: never, apply: async () => (await serving.drain(node().gate.drain)).evidence, revert: keep },
    stop: {
      isDone: never,
      apply: async () => void (await stop(from)),
      revert: reverted(() => startAgain(serving, change)),
    },
    start: {
      isDone: () => serving.isRunning(version),
      apply: async () => void (await start(serving, change)),
      revert: reverted(async () => {
        if ((await serving.status()).version === version) await stop(version)
      }),
    },
    probe: {
      isDone: never,
      apply: async () => {
        const verdict = await serving.awaitHealth(node().health, { signal, version })
        return assertHealthy(verdict, { how: 'did not become', serving, change })
      },
      revert: keep,
    },
    pass: {
      isDone: never,
      apply: async () => {
        await pass()
        return heldSummary(serving)
      },
      revert: reverted(() => holdAndDrain(serving, change)),
    },
    watch: {
      isDone: never,
      apply: async () => {
        const verdict = await serving.watch(node().health, { signal, version })
        return assertHealthy(verdict, { how: 'did not stay', serving, change })
      },
      revert: keep,
    },
  }
}

/** Wait until the soft phase is over; a gate that has none is no reason to leave an upgrade out. */
async function soften(serving: ServingProcess, reason: string, { recipe, signal }: ServingChange): Promise<string> {
  const waitMs = await unlessUnsoftenable(() => serving.beginSoft(reason, recipe().node.gate.soft))
  if (typeof waitMs === 'string') return waitMs
  await delay(waitMs, signal)
  return `clients were told to stay away, for ${formatDuration(waitMs)}`
}

/** Post: what was done, or why the gate cannot tell clients to stay away. */
async function unlessUnsoftenable<Value>(operation: () => Promise<Value>): Promise<Value | string> {
  try {
    return await operation()
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.code === 'GATE_CANNOT_SOFTEN') return caught.message
    throw caught
  }
}

function heldSummary(serving: ServingProcess): string | undefined {
  const { figures } = serving
  if (figures === undefined) return undefined
  return `${figures.heldRequests} requests held, for ${formatDuration(figures.holdMs)} at most`
}

/** The effect of an operation on a serving process where there is none. */
export const idle: OpEffect = { isDone: () => true, apply: () => undefined, revert: () => {} }
const idleEffects = {
  soften: idle,
  hold: idle,
  drain: idle,
  stop: idle,
  start: idle,
  probe: idle,
  pass: idle,
  watch: idle,
} as const

async function start(serving: ServingProcess, change: ServingChange): Promise<void> {
  try {
    await serving.start(change.version, startTimeoutMs(change.recipe().node.services))
  } catch (caught) {
    const error = toReleaseError(caught)
    if (error.code === 'GATE_UNREACHABLE') throw error
    throw await unhealthy(`could not be started: ${error.message}`, { serving, change }, error)
  }
}

/** Bring the version before back. That it may not be healthy any more is no reason to keep the door shut. */
async function startAgain(serving: ServingProcess, change: ServingChange): Promise<void> {
  const { from, paths, emit } = change
  if (from === undefined || (await serving.isRunning(from))) return
  await serving.start(from, startTimeoutMs(readInstalledRecipe(paths, from).node.services))
  const verdict = await serving.awaitHealth(readInstalledRecipe(paths, from).node.health)
  if (verdict.ok) return
  emit({ kind: 'warning', code: 'INSTALL_UNHEALTHY', message: `${from} runs again, but: ${verdict.evidence}` })
}

async function holdAndDrain(serving: ServingProcess, change: ServingChange): Promise<void> {
  const { gate } = change.recipe().node
  await serving.enterHold(`back to ${change.from ?? 'nothing'}`, gate.hold.deadline)
  await serving.drain(gate.drain)
}

/** Take something back at a serving process; when that has ended meanwhile, there is nothing to take back. */
export async function whileServing(paths: PrefixPaths, revert: () => Promise<void>): Promise<void> {
  try {
    await revert()
  } catch (caught) {
    const isGone = caught instanceof ReleaseError && caught.code === 'GATE_UNREACHABLE'
    if (!isGone || (await connectControl(path.join(paths.root, controlSocket))) !== undefined) throw caught
  }
}

/** Errors: INSTALL_UNHEALTHY, with what was seen. */
export async function assertHealthy(verdict: Verdict, failing: Failing & { readonly how: string }): Promise<string> {
  if (verdict.ok) return verdict.evidence
  throw await unhealthy(`${failing.how} healthy: ${verdict.evidence}`, failing)
}

/** Who failed, and who serves it. */
interface Failing {
  readonly serving: ServingProcess
  readonly change: ServingChange
}

/** Make the error of a version that is not what it should be, with the end of its logs. */
export async function unhealthy(what: string, failing: Failing, cause?: ReleaseError): Promise<ReleaseError> {
  const { paths, version, from } = failing.change
  const recipe = failing.change.recipe()
  const redact = redactor(readSecrets(paths, version, recipe.node.secrets))
  const place = placeOf(version, await statusIfAny(failing.serving))
  const logs = logTails(paths, recipe, { lines: logLines, place })
  const tails = logs.flatMap(({ file, lines }) => [`${file}:`, ...lines])
  const why = `cutover why --prefix ${paths.root}`
  return new ReleaseError('INSTALL_UNHEALTHY', redact([`${recipe.name} ${version} ${what}`, ...tails].join('\n')), {
    hint: from === undefined ? `${why} tells more` : `${from} stays; ${why} tells more; mend it and cut a new version`,
    details: { version, from, evidence: redact(what), logs: logs.map(({ file }) => file) },
    cause,
  })
}

/** What a serving process says of itself, unless it is gone or takes too long: what is asked for evidence must not delay going back. */
export async function statusIfAny(serving: ServingProcess | undefined): Promise<ServeStatus | undefined> {
  try {
    return await serving?.status(statusTimeoutMs)
  } catch (caught) {
    // The error that evidence is gathered for tells more.
    if (caught instanceof ReleaseError) return undefined
    throw caught
  }
}

/** Tell by which names the services of a version run, or were to be started. */
export function placeOf(version: string, status: ServeStatus | undefined): RunningPlace {
  if (status === undefined || status.version === undefined) return 1
  const live = runningPlaceOf(status.services.map(service => service.name))
  return status.version === version ? live : otherPlace(live)
}

/** Read what the services of a release wrote last. Holds whatever they wrote, secrets among it. */
export function logTails(
  paths: PrefixPaths,
  recipe: InstalledRecipe,
  { lines, place }: { readonly lines: number; readonly place: RunningPlace },
): readonly LogTail[] {
  return recipe.node.services.map(({ name }) => {
    const file = path.join(paths.log, `${runningName(name, place)}.log`)
    return { service: name, file, lines: lastLines(file, lines) }
  })
}

function lastLines(file: string, lines: number): readonly string[] {
  try {
    return readLastLines(file, lines)
  } catch (caught) {
    // The log only helps to understand: what cannot be read must not hide the failure itself.
    if (isErrno(caught)) return [caught.message]
    throw caught
  }
}

/** Say what a start may take that is not stuck: processes are started at once, but for what runs around them. */
export function startTimeoutMs(services: readonly RecipeService[]): number {
  const each = services.map(({ before, after, readiness, container }) => {
    const jobs = [...before, ...after].reduce((sum, job) => sum + job.timeout, 0)
    // As long as systemd waits for a word, and as an image may take to be pulled.
    return jobs + (readiness === 'notify' ? 90_000 : 0) + (container === undefined ? 0 : 600_000)
  })
  return each.reduce((sum, ms) => sum + ms, 60_000)
}

/** Say how long each service of a version may take to end. */
export function stopTimeouts(paths: PrefixPaths, version: string | undefined): readonly number[] {
  if (version === undefined) return []
  try {
    return readInstalledRecipe(paths, version).node.services.map(service => service.stopTimeout)
  } catch (caught) {
    if (caught instanceof ReleaseError) return [unknownStopMs]
    throw caught
  }
}
