import { ReleaseError } from '../../core/error.ts'
import { isVersion } from '../../core/version.ts'
import { type GateAsker, longestModeMs } from '../machine/machine.ts'
import type { ControlRequest } from './protocol.ts'

/** Read a control request. Errors: GATE_REQUEST_INVALID. */
export function parseControlRequest(text: string): ControlRequest {
  const value = parseObject(text)
  switch (value['kind']) {
    case 'status':
    case 'stop':
    case 'shutdown':
    case 'metrics':
      return { kind: value['kind'] }
    case 'gate':
      return gateRequest(value)
    case 'relay':
      return relayRequest(value)
    case 'upgrade':
      return upgradeRequest(value)
    case 'soften':
      return softenRequest(value)
    case 'drain':
      return {
        kind: 'drain',
        timeoutMs: duration(value, 'timeoutMs'),
        streamsMs: duration(value, 'streamsMs'),
        ...optionalDuration(value, 'spreadMs'),
      }
    case 'probe':
      return value['version'] === undefined ? { kind: 'probe' } : { kind: 'probe', version: versionOf(value) }
    case 'start':
    case 'start-beside':
    case 'promote':
      return { kind: value['kind'], version: versionOf(value) }
    case 'retire':
      return {
        kind: 'retire',
        version: versionOf(value),
        timeoutMs: duration(value, 'timeoutMs'),
        streamsMs: duration(value, 'streamsMs'),
        ...optionalDuration(value, 'spreadMs'),
      }
    case 'route':
      return routeRequest(value)
    default:
      throw invalid('its kind is not known')
  }
}

function gateRequest(value: Readonly<Record<string, unknown>>): ControlRequest {
  const { mode } = value
  if (mode !== 'pass' && mode !== 'hold' && mode !== 'backoff' && mode !== 'drain') throw invalid('mode is not a mode')
  return { kind: 'gate', mode, reason: reason(value), ...optionalDuration(value, 'deadlineMs'), ...asker(value) }
}

function softenRequest(value: Readonly<Record<string, unknown>>): ControlRequest {
  const { share } = value
  const asked = {
    kind: 'soften',
    reason: reason(value),
    ...optionalDuration(value, 'lastsMs'),
    ...asker(value),
  } as const
  if (share === undefined) return asked
  if (typeof share !== 'number' || !(share >= 0 && share <= 1)) throw invalid('share is not a number from 0 to 1')
  return { ...asked, share }
}

function reason({ reason: text }: Readonly<Record<string, unknown>>): string {
  if (typeof text === 'string' && text.length <= 1000) return text
  throw invalid('reason is not text of at most 1000 characters')
}

function asker({ by }: Readonly<Record<string, unknown>>): { readonly by?: GateAsker } {
  if (by === undefined) return {}
  if (by === 'installer' || by === 'operator') return { by }
  throw invalid('by is neither installer nor operator')
}

function optionalDuration<Key extends string>(
  value: Readonly<Record<string, unknown>>,
  key: Key,
): { readonly [Name in Key]?: number } {
  return value[key] === undefined ? {} : ({ [key]: duration(value, key) } as { readonly [Name in Key]?: number })
}

function relayRequest({ to }: Readonly<Record<string, unknown>>): ControlRequest {
  if (to === undefined) return { kind: 'relay' }
  if (typeof to !== 'string' || to.length > 300) throw invalid('to is not an address')
  return { kind: 'relay', to }
}

function upgradeRequest(value: Readonly<Record<string, unknown>>): ControlRequest {
  const { cutover } = value
  const limits = { ...optionalDuration(value, 'readyMs'), ...optionalDuration(value, 'streamsMs') }
  if (cutover === undefined) return { kind: 'upgrade', ...limits }
  if (typeof cutover !== 'string' || !cutover.startsWith('/')) throw invalid('cutover is not an absolute path')
  return { kind: 'upgrade', cutover, ...limits }
}

function versionOf({ version }: Readonly<Record<string, unknown>>): string {
  if (typeof version !== 'string' || !isVersion(version)) throw invalid('version is not a version')
  return version
}

/** What goes into the head of an answer is not taken as it comes. */
function routeRequest(value: Readonly<Record<string, unknown>>): ControlRequest {
  const { share, cookie, cookieSeconds } = value
  if (typeof share !== 'number' || !(share >= 0 && share <= 1)) throw invalid('share is not a number from 0 to 1')
  if (typeof cookie !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(cookie)) throw invalid('cookie is not a name')
  if (!Number.isSafeInteger(cookieSeconds) || (cookieSeconds as number) < 0)
    throw invalid('cookieSeconds is not a number of seconds')
  return { kind: 'route', version: versionOf(value), share, cookie, cookieSeconds: cookieSeconds as number }
}

function duration(value: Readonly<Record<string, unknown>>, key: string): number {
  const durationMs = value[key]
  if (typeof durationMs !== 'number' || !(durationMs >= 0) || durationMs > longestModeMs) {
    throw invalid(`${key} is not a duration in milliseconds of at most a day`)
  }
  return durationMs
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Told below, without the text.
  }
  throw invalid('it is not a JSON object')
}

function invalid(why: string): ReleaseError {
  return new ReleaseError('GATE_REQUEST_INVALID', `a control request was not understood: ${why}`)
}
