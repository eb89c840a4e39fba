import { ReleaseError } from '../../core/error.ts'
import type { GateMode, GateState } from './machine.ts'
import type { Shaping } from './shaping.ts'

/** Write the state as it is persisted. */
export function gateStateText(state: GateState): string {
  return `${JSON.stringify(state)}\n`
}

/** Read a persisted state: whole or not at all. Errors: GATE_STATE_INVALID with `place`. */
export function parseGateState(text: string, place: string): GateState {
  const value = parseObject(text)
  if (value === undefined) throw invalid(place, 'it is not a JSON object')
  const { schema, mode, sinceMs, deadlineAtMs, reason, by, afterwards, shaping } = value
  if (schema !== 1) throw invalid(place, 'its schema is not 1')
  if (!isMode(mode)) throw invalid(place, 'it names no mode')
  if (!isTime(sinceMs)) throw invalid(place, 'sinceMs is not a time')
  if (typeof reason !== 'string') throw invalid(place, 'reason is not text')
  if (by !== 'installer' && by !== 'operator') throw invalid(place, 'it does not say who asked')
  if (mode === 'pass') {
    if (deadlineAtMs !== undefined) throw invalid(place, 'mode pass has a deadline')
    const passing = { schema, mode, sinceMs, deadlineAtMs: undefined, reason, by } as const
    return shaping === undefined ? passing : { ...passing, shaping: parseShaping(shaping, place) }
  }
  if (shaping !== undefined) throw invalid(place, `mode ${mode} has a shaping`)
  if (!isTime(deadlineAtMs) || deadlineAtMs < sinceMs) throw invalid(place, 'deadlineAtMs is not a time after sinceMs')
  const lasting = { schema, mode, sinceMs, deadlineAtMs, reason, by } as const
  if (afterwards === undefined) return lasting
  if (mode !== 'hold') throw invalid(place, `mode ${mode} says what follows a hold`)
  if (afterwards !== 'backoff' && afterwards !== 'pass') throw invalid(place, 'afterwards is neither backoff nor pass')
  return { ...lasting, afterwards }
}

function parseShaping(value: unknown, place: string): Shaping {
  if (typeof value !== 'object' || value === null) throw invalid(place, 'shaping is not an object')
  const { kind, sinceMs, endsAtMs, share, perSecond } = value as Record<string, unknown>
  if (!isTime(sinceMs)) throw invalid(place, 'shaping.sinceMs is not a time')
  if (!isTime(endsAtMs) || endsAtMs < sinceMs)
    throw invalid(place, 'shaping.endsAtMs is not a time after its beginning')
  if (kind === 'soft') {
    if (typeof share !== 'number' || !(share >= 0 && share <= 1)) throw invalid(place, 'shaping.share is not a share')
    return { kind, sinceMs, endsAtMs, share }
  }
  if (kind !== 'recovery') throw invalid(place, 'shaping is of no known kind')
  if (typeof perSecond !== 'number' || !(perSecond > 0)) throw invalid(place, 'shaping.perSecond is not a rate')
  return { kind, sinceMs, endsAtMs, perSecond }
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
