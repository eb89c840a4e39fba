import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer } from '../answers/answer.ts'

/** How long a connection whose request was not read lingers, so that its client reads our answer before the end of the connection. */
const lingerMs = 2000

/** How much of a request's body an answer that closes lets pass by meanwhile. */
const lingerBytes = 4 * 1024 * 1024

/**
 * Write an answer of the gate's own.
 *
 * A connection closed with unread bytes in it is reset, and the reset can overtake the answer; so what the client still sends is read and
 * dropped for a while before the end. Source: RFC 9112 §9.6 (lingering close).
 */
export function respond(request: IncomingMessage, response: ServerResponse, answered: Answer): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  response.writeHead(answered.status, answered.reason, answered.headers.flat())
  const body = request.method === 'HEAD' ? undefined : answered.body
  if (!answered.closes || request.complete) {
    response.end(body)
    return
  }
  if (body === undefined) response.flushHeaders()
  else response.write(body)
  linger(request, () => response.end())
}

function linger(request: IncomingMessage, end: () => void): void {
  let passedBytes = 0
  const finish = () => {
    clearTimeout(timer)
    request.off('data', count).off('end', finish).off('close', finish)
    end()
  }
  const count = (piece: Buffer) => {
    passedBytes += piece.length
    if (passedBytes > lingerBytes) finish()
  }
  const timer = setTimeout(finish, lingerMs)
  timer.unref()
  request.on('data', count)
  request.once('end', finish)
  request.once('close', finish)
}
