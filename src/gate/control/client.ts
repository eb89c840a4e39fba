import http from 'node:http'
import { type ErrorCode, errorCodes } from '../../core/codes.ts'
import { isErrno, ReleaseError } from '../../core/error.ts'
import { accepts } from '../http1/upstream.ts'
import type { ControlRequest, ControlResponse } from './protocol.ts'

/** What a request came to, when it was understood and done. */
export type ControlAnswer = Extract<ControlResponse, { readonly ok: true }>

/** A serving process that can be asked. */
export interface ControlClient {
  /**
   * Ask for something. Errors: what the serving process reports (its own code), GATE_UNREACHABLE (it does not answer within
   * `timeoutMs`, or ended meanwhile).
   */
  readonly request: (request: ControlRequest, options?: { readonly timeoutMs?: number }) => Promise<ControlAnswer>
}

const defaultTimeoutMs = 30_000
const connectTimeoutMs = 2000

/** Find the serving process of a prefix; undefined when nothing accepts on its socket. */
export async function connectControl(socketPath: string): Promise<ControlClient | undefined> {
  if (!(await accepts({ kind: 'unix', path: socketPath }, connectTimeoutMs))) return undefined
  return {
    request: async (request, options = {}) => {
      const response = parseResponse(await post(socketPath, request, options.timeoutMs ?? defaultTimeoutMs))
      if (response.ok) return response
      throw reported(response)
    },
  }
}

function post(socketPath: string, request: ControlRequest, timeoutMs: number): Promise<string> {
  const body = JSON.stringify(request)
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown) =>
      reject(
        new ReleaseError('GATE_UNREACHABLE', `${socketPath} did not answer the request ${request.kind}: ${why}`, {
          cause,
          details: { path: socketPath, request: request.kind },
        }),
      )
    const outgoing = http.request({
      socketPath,
      path: '/control',
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      signal: AbortSignal.timeout(timeoutMs),
    })
    outgoing.once('error', caught => {
      if (caught.name === 'AbortError') fail(`no answer within ${timeoutMs} ms`)
      else fail(isErrno(caught) ? caught.code : caught.message, caught)
    })
    outgoing.once('response', async incoming => {
      try {
        resolve(
          await Array.fromAsync(incoming as AsyncIterable<Buffer>).then(pieces => Buffer.concat(pieces).toString()),
        )
      } catch (caught) {
        fail('its answer broke off', caught)
      }
    })
    outgoing.end(body)
  })
}

function parseResponse(text: string): ControlResponse {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && 'ok' in value) return value as ControlResponse
  } catch {
    // Told below.
  }
  throw new ReleaseError('GATE_UNREACHABLE', 'what answers on the control socket is not a serving process')
}

function reported(response: Extract<ControlResponse, { readonly ok: false }>): ReleaseError {
  const isKnown = Object.hasOwn(errorCodes, response.code)
  return new ReleaseError(isKnown ? (response.code as ErrorCode) : 'GATE_UNREACHABLE', response.message, {
    hint: response.hint,
    details: { reportedCode: response.code },
  })
}
