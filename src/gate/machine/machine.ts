import { unreachable } from '../../core/error.ts'
import type { Shaping } from './shaping.ts'

/** What the gate does with a request that arrives now. */
export type GateMode = 'pass' | 'hold' | 'backoff' | 'drain'

/** What follows a hold that has lasted as long as it may. */
export type Afterwards = 'backoff' | 'pass'

/**
 * The gate's state; persisted before it is acted on, so that a restarted gate goes on where it was.
 *
 * Units: milliseconds since 1970. `deadlineAtMs` is when the mode ends by itself, so that a dead installer cannot hold for ever;
 * undefined in mode pass. A shaping of mode pass has an end of its own.
 */
export interface GateState {
  readonly schema: 1
  readonly mode: GateMode
  readonly sinceMs: number
  readonly deadlineAtMs: number | undefined
  readonly reason: string
  /** Who asked for it. What an installer asks for ends with the installer; an operator's word holds until its deadline. */
  readonly by: GateAsker
  /** Of a hold; backoff when absent. */
  readonly afterwards?: Afterwards
  /** Of mode pass: what is done to requests although they pass. */
  readonly shaping?: Shaping
}

/** Who asks for a mode: an installer, for as long as it is at work, or a person. */
export type GateAsker = 'installer' | 'operator'

/** What changes the state. `lastsMs` is how long the mode, or the shaping, may last without further word. */
export type GateCommand =
  | {
      readonly kind: 'enter'
      readonly mode: 'hold' | 'backoff' | 'drain'
      readonly reason: string
      readonly lastsMs: number
      readonly by: GateAsker
      readonly afterwards?: Afterwards
    }
  /** Let requests pass; with `recovery` on a ramp. An installer's word does not end what an operator asked for; no `by` ends anything. */
  | {
      readonly kind: 'pass'
      readonly reason: string
      readonly by?: GateAsker
      readonly recovery?: { readonly lastsMs: number; readonly perSecond: number }
    }
  /** Begin the soft phase before an upgrade; one that lasts 0 ms ends the one that is under way. */
  | {
      readonly kind: 'soften'
      readonly reason: string
      readonly lastsMs: number
      readonly share: number
      readonly by: GateAsker
    }
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
 * Post: the same object when nothing changes. Entering the mode that already holds moves its deadline, and leaves it an operator's; what
 * an installer asks for while another mode of an operator holds only moves that one's deadline, never to sooner. What has lasted as long
 * as it may ends at `expire`: a hold becomes backoff for as long as it was meant to last, or passes; backoff and drain pass; a shaping ends.
 */
export function transition(state: GateState, command: GateCommand, nowMs: number): GateState {
  switch (command.kind) {
    case 'enter':
      return enter(state, command, nowMs)
    case 'pass':
      return pass(state, command, nowMs)
    case 'soften':
      return soften(state, command, nowMs)
    case 'expire':
      return expire(state, nowMs)
    default:
      return unreachable(command)
  }
}

type CommandOf<Kind extends GateCommand['kind']> = Extract<GateCommand, { readonly kind: Kind }>

function enter(state: GateState, command: CommandOf<'enter'>, nowMs: number): GateState {
  const deadlineAtMs = nowMs + boundedMs(command.lastsMs)
  if (state.mode !== command.mode && isOperators(state) && command.by === 'installer') {
    return deadlineAtMs > (state.deadlineAtMs ?? 0) ? { ...state, deadlineAtMs } : state
  }
  const goesOn = state.mode === command.mode
  const afterwards =
    command.mode === 'hold' ? (command.afterwards ?? (goesOn ? state.afterwards : undefined)) : undefined
  return {
    schema: 1,
    mode: command.mode,
    sinceMs: goesOn ? Math.min(state.sinceMs, nowMs) : nowMs,
    deadlineAtMs,
    reason: command.reason,
    by: goesOn && state.by === 'operator' ? 'operator' : command.by,
    ...(afterwards === undefined ? {} : { afterwards }),
  }
}

function pass(state: GateState, command: CommandOf<'pass'>, nowMs: number): GateState {
  // An installer that is taken up again says so a second time: the recovery that began meanwhile, or an operator's soft phase, goes on.
  if (command.by === 'installer' && (isOperators(state) || state.mode === 'pass')) return state
  const { recovery } = command
  if (state.mode === 'pass' && state.shaping === undefined && recovery === undefined) return state
  const next = passing(nowMs, command.reason)
  if (recovery === undefined || !(recovery.lastsMs > 0)) return next
  const endsAtMs = nowMs + boundedMs(recovery.lastsMs)
  return { ...next, shaping: { kind: 'recovery', sinceMs: nowMs, endsAtMs, perSecond: recovery.perSecond } }
}

function soften(state: GateState, command: CommandOf<'soften'>, nowMs: number): GateState {
  if (state.mode !== 'pass') return state
  const isSoft = state.shaping?.kind === 'soft'
  if (isSoft && state.by === 'operator' && command.by === 'installer') return state
  if (!(command.lastsMs > 0)) return isSoft ? passing(state.sinceMs, command.reason) : state
  const shaping: Shaping = {
    kind: 'soft',
    sinceMs: nowMs,
    endsAtMs: nowMs + boundedMs(command.lastsMs),
    share: command.share,
  }
  return { ...passing(state.sinceMs, command.reason), by: command.by, shaping }
}

/** Whether a person has set the gate to something that is not for an installer to end. */
export function isOperators(state: GateState): boolean {
  return state.mode !== 'pass' && state.by === 'operator'
}

function boundedMs(lastsMs: number): number {
  return Math.ceil(Math.min(Math.max(lastsMs, 0), longestModeMs))
}

function passing(nowMs: number, reason: string): GateState {
  return { schema: 1, mode: 'pass', sinceMs: nowMs, deadlineAtMs: undefined, reason, by: 'operator' }
}

/** The mode's own time, or that of its shaping; undefined where nothing ends by itself. */
function timed(state: GateState): { readonly sinceMs: number; readonly endsAtMs: number } | undefined {
  if (state.deadlineAtMs !== undefined) return { sinceMs: state.sinceMs, endsAtMs: state.deadlineAtMs }
  return state.shaping
}

/** When the mode or its shaping ends by itself; undefined where nothing does. */
export function endsAtMs(state: GateState): number | undefined {
  return timed(state)?.endsAtMs
}

/**
 * How long the mode, or its shaping, may still last; undefined where nothing ends by itself.
 *
 * Post: at most a day. A clock set back never makes it longer than it was meant to be.
 */
export function remainingMs(state: GateState, nowMs: number): number | undefined {
  const time = timed(state)
  if (time === undefined) return undefined
  return Math.min(Math.max(time.endsAtMs - nowMs, 0), time.endsAtMs - time.sinceMs, longestModeMs)
}

function expire(state: GateState, nowMs: number): GateState {
  const time = timed(state)
  if (time === undefined || nowMs < time.endsAtMs) return state
  if (state.shaping !== undefined) return passing(state.sinceMs, `${state.shaping.kind} phase over (${state.reason})`)
  if (state.mode === 'hold' && state.afterwards !== 'pass') {
    return {
      schema: 1,
      mode: 'backoff',
      sinceMs: nowMs,
      deadlineAtMs: nowMs + boundedMs(Math.max(time.endsAtMs - time.sinceMs, 1000)),
      reason: `no word since the hold began (${state.reason})`,
      by: state.by,
    }
  }
  return passing(nowMs, `${state.mode} ended by its deadline`)
}
