import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import type { Answer } from '../answers/answer.ts'

/** How long a client may go on sending a body that nobody reads, after it got its answer. */
const lingerMs = 2000

/** Write an answer of the gate's own. */
export function answerStream(stream: ServerHttp2Stream, method: string, answered: Answer): void {
  if (stream.headersSent || stream.destroyed) {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    return
  }
  const fields = answered.headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => name !== 'connection')
  const isBodiless = method === 'HEAD' || answered.body.length === 0
  stream.respond([':status', String(answered.status), ...fields.flat()], { endStream: isBodiless })
  endAnswer(stream, isBodiless ? undefined : answered.body)
}

/**
 * End an answer.
 *
 * What is still to come of its request is for nobody: it is dropped for a while, for not every client takes it well when it is told to stop,
 * then it is told. Source: RFC 9113 §8.1 (NO_ERROR after an early answer).
 */
export function endAnswer(stream: ServerHttp2Stream, lastPiece?: Buffer): void {
  stream.end(lastPiece)
  if (stream.endAfterHeaders || stream.readableEnded) return
  stream.resume()
  const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), lingerMs)
  stream.once('close', () => clearTimeout(timer))
}

/** Make the object that Node takes of fields. */
export function headersOf(fields: readonly (readonly [string, string])[]): OutgoingHttpHeaders {
  const headers: Record<string, string[]> = {}
  for (const [name, value] of fields) {
    headers[name] ??= []
    headers[name].push(value)
  }
  return headers
}
