import { stableJson } from '../core/canonical-json.ts'
import { ReleaseError } from '../core/error.ts'
import { type RoleSlots, rolesProblem, sitePaths } from '../prefix/site.ts'
import { parseJson, readTextIfExists, removeFile, syncFolder, writeFileAtomic } from '../sys/files.ts'

/**
 * A switch that is under way. Shape: `switch.json`, written before each step and removed at the end.
 *
 * Units: milliseconds since 1970.
 */
export interface SwitchProgress {
  readonly schema: 1
  readonly before: RoleSlots
  readonly goal: RoleSlots
  /** `back` once it was decided to undo it. */
  readonly direction: 'forward' | 'back'
  /** Clients may be where they are not to be served: nothing is started or let through by itself. */
  readonly isCrossing: boolean
  /** The step that is at work. */
  readonly step: string
  readonly beganAtMs: number
  readonly by: string
}

/** Read the switch of a site that is under way or was interrupted; undefined when there is none. Errors: DOCUMENT_INVALID, DOCUMENT_NEWER. */
export function readProgress(site: string): SwitchProgress | undefined {
  const { progress } = sitePaths(site)
  const text = readTextIfExists(progress)
  return text === undefined ? undefined : parseProgress(text, progress)
}

/** Store how far a switch is. Post: durable. */
export function writeProgress(site: string, progress: SwitchProgress): void {
  writeFileAtomic(sitePaths(site).progress, stableJson(progress))
}

/** A switch has come to its end. Post: durable. */
export function endProgress(site: string): void {
  removeFile(sitePaths(site).progress)
  syncFolder(site)
}

/** Read how far a switch is. Errors: DOCUMENT_INVALID, DOCUMENT_NEWER. */
export function parseProgress(text: string, place: string): SwitchProgress {
  const value = parseJson(text, place) as Partial<SwitchProgress> | null
  const schema = value?.schema as unknown
  if (typeof schema === 'number' && schema > 1) {
    throw new ReleaseError('DOCUMENT_NEWER', `${place} has schema ${schema}, expected 1`, { details: { path: place } })
  }
  const problem = progressProblem(value ?? {})
  if (problem === undefined) return value as SwitchProgress
  throw new ReleaseError('DOCUMENT_INVALID', `${place} does not say how far a switch is: ${problem}`, {
    details: { path: place },
  })
}

function progressProblem(value: Partial<SwitchProgress>): string | undefined {
  const { schema, before, goal, direction, isCrossing, step, beganAtMs, by } = value
  if (schema !== 1) return 'schema is not 1'
  const roles = rolesProblem(before) ?? rolesProblem(goal)
  if (roles !== undefined) return roles
  if (direction !== 'forward' && direction !== 'back') return 'it has no direction'
  if (typeof isCrossing !== 'boolean') return 'isCrossing is not true or false'
  if (typeof step !== 'string' || typeof by !== 'string') return 'step and by are not texts'
  return Number.isSafeInteger(beganAtMs) ? undefined : 'beganAtMs is not a time'
}

/** The error of a command that has to wait for the end of a switch. Pure. */
export function switchUnfinished(site: string): ReleaseError {
  return new ReleaseError('SWITCH_UNFINISHED', `a switch of ${site} was interrupted`, {
    hint: `run cutover switch ${site} --resume, which goes on or back`,
    details: { path: site },
  })
}
