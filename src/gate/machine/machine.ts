import { ReleaseError, unreachable } from '../../core/error.ts'

/** What the gate does with a request that arrives now. */
export type GateMode = 'pass' | 'hold' | 'backoff' | 'drain'

/**
 * The gate's state; persisted before it is acted on, so that a restarted gate goes on where it was.
 *
 * Units: milliseconds since 1970. `deadlineAtMs` is when the mode ends by itself (hold → backoff → pass), so that a dead
 * installer cannot hold for ever; undefined in mode pass.
 */
export interface GateState {
  readonly schema: 1
  readonly mode: GateMode
  readonly sinceMs: number
  readonly deadlineAtMs: number | undefined
  readonly reason: string
  /** Who asked for it. What an installer asks for ends with the installer; an operator's word holds until its deadline. */
  readonly by: GateAsker
}

/** Who asks for a mode: an installer, for as long as it is at work, or a person. */
export type GateAsker = 'installer' | 'operator'

/** What changes the state. `lastsMs` is how long the mode may last without further word. */
export type GateCommand =
  | {
      readonly kind: 'enter'
      readonly mode: 'hold' | 'backoff' | 'drain'
      readonly reason: string
      readonly lastsMs: number
      readonly by: GateAsker
    }
  | { readonly kind: 'pass'; readonly reason: string }
  | { readonly kind: 'expire' }

/** The longest that a mode other than pass may be asked to last: a day. */
export const longestModeMs = 86_400_000

/** The state of a gate that was never told anything. */
export function initialState(nowMs: number): GateState {
  return passing(nowMs, 'started')
}

/**
 * Decide the next state.
 *
 * Post: the same object when nothing changes. Entering the mode that already holds moves its deadline, and leaves it an operator's. A mode whose deadline has
 * passed ends at `expire`: hold → backoff, as long as the hold was meant to last; backoff and drain → pass.
 */
export function transition(state: GateState, command: GateCommand, nowMs: number): GateState {
  switch (command.kind) {
    case 'enter':
      return enter(state, command, nowMs)
    case 'pass':
      return state.mode === 'pass' ? state : passing(nowMs, command.reason)
    case 'expire':
      return expire(state, nowMs)
    default:
      return unreachable(command)
  }
}

function enter(state: GateState, command: Extract<GateCommand, { kind: 'enter' }>, nowMs: number): GateState {
  const goesOn = state.mode === command.mode
  return {
    schema: 1,
    mode: command.mode,
    sinceMs: goesOn ? Math.min(state.sinceMs, nowMs) : nowMs,
    deadlineAtMs: nowMs + Math.min(Math.max(command.lastsMs, 0), longestModeMs),
    reason: command.reason,
    by: goesOn && state.by === 'operator' ? 'operator' : command.by,
  }
}

function passing(nowMs: number, reason: string): GateState {
  return { schema: 1, mode: 'pass', sinceMs: nowMs, deadlineAtMs: undefined, reason, by: 'operator' }
}

/** How long the mode may still last; undefined in mode pass. A clock set back never makes it longer than it was meant to be. */
export function remainingMs(state: GateState, nowMs: number): number | undefined {
  if (state.deadlineAtMs === undefined) return undefined
  return Math.min(Math.max(state.deadlineAtMs - nowMs, 0), state.deadlineAtMs - state.sinceMs)
}

function expire(state: GateState, nowMs: number): GateState {
  if (state.deadlineAtMs === undefined || nowMs < state.deadlineAtMs) return state
  if (state.mode === 'hold') {
    const lastsMs = Math.max(state.deadlineAtMs - state.sinceMs, 1000)
    return {
      schema: 1,
      mode: 'backoff',
      sinceMs: nowMs,
      deadlineAtMs: nowMs + Math.min(lastsMs, longestModeMs),
      reason: `no word since the hold began (${state.reason})`,
      by: state.by,
    }
  }
  return passing(nowMs, `${state.mode} ended by its deadline`)
}

/** Write the state as it is persisted. */
export function gateStateText(state: GateState): string {
  return `${JSON.stringify(state)}\n`
}

/** Read a persisted state: whole or not at all. Errors: GATE_STATE_INVALID with `place`. */
export function parseGateState(text: string, place: string): GateState {
  const value = parseObject(text)
  if (value === undefined) throw invalid(place, 'it is not a JSON object')
  const { schema, mode, sinceMs, deadlineAtMs, reason, by } = value
  if (schema !== 1) throw invalid(place, 'its schema is not 1')
  if (!isMode(mode)) throw invalid(place, 'it names no mode')
  if (!isTime(sinceMs)) throw invalid(place, 'sinceMs is not a time')
  if (typeof reason !== 'string') throw invalid(place, 'reason is not text')
  if (by !== 'installer' && by !== 'operator') throw invalid(place, 'it does not say who asked')
  if (mode === 'pass') {
    if (deadlineAtMs !== undefined) throw invalid(place, 'mode pass has a deadline')
    return { schema, mode, sinceMs, deadlineAtMs: undefined, reason, by }
  }
  if (!isTime(deadlineAtMs) || deadlineAtMs < sinceMs) throw invalid(place, 'deadlineAtMs is not a time after sinceMs')
  return { schema, mode, sinceMs, deadlineAtMs, reason, by }
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    // Not JSON: the caller says so with the place.
    return undefined
  }
}

function isMode(value: unknown): value is GateMode {
  return value === 'pass' || value === 'hold' || value === 'backoff' || value === 'drain'
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function invalid(place: string, why: string): ReleaseError {
  return new ReleaseError('GATE_STATE_INVALID', `${place} holds no gate state: ${why}`, { details: { path: place } })
}
