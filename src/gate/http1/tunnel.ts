import http, { type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { answerBytes, problemAnswer } from '../answers/answer.ts'
import type { ForwardEnd, ForwardHooks } from '../front/exchange.ts'
import { responseHeaders } from './headers.ts'
import type { Upstream } from './upstream.ts'

/** An upgrade request with what it becomes for the application. */
export interface TunnelRequest {
  readonly request: IncomingMessage
  /** The client's connection, and what came behind the request already. */
  readonly socket: Duplex
  readonly head: Buffer
  readonly path: string
  readonly headers: readonly string[]
}

/** Send an upgrade request to the application; once it agrees, carry bytes both ways until one side ends. Source: RFC 9110 §7.8. */
export function forwardUpgrade(forwarded: TunnelRequest, upstream: Upstream, hooks: ForwardHooks): void {
  const { socket, path, headers, request } = forwarded
  const outgoing = http.request({ ...upstream.target, agent: false, method: request.method, path, headers })
  let answered = false
  const end = once((how: ForwardEnd) => {
    socket.off('close', onClose)
    hooks.ended(how, { status: 101, receivedBytes: 0, sentBytes: 0 })
  })
  const onClose = () => {
    outgoing.destroy()
    end(answered ? 'answered' : 'abandoned')
  }
  socket.once('close', onClose)
  outgoing.once('upgrade', (incoming, other, otherHead) => {
    answered = true
    socket.write(responseHead(incoming, ['Connection', 'Upgrade', 'Upgrade', incoming.headers.upgrade ?? '']))
    carry(forwarded, other, otherHead)
    hooks.becameStream(() => {
      socket.end()
      other.end()
    })
  })
  outgoing.once('response', incoming => {
    answered = true
    refuse(socket, incoming)
  })
  outgoing.once('error', (error: NodeJS.ErrnoException) => {
    if (answered) return
    if (error.syscall === 'connect') return end('unsent')
    end('failed')
    socket.end(answerBytes(problemAnswer(502, 'The application refused the upgrade.', true), { withBody: true }))
  })
  outgoing.end()
}

function carry({ socket, head }: TunnelRequest, other: Duplex, otherHead: Buffer): void {
  if (otherHead.length > 0) socket.write(otherHead)
  if (head.length > 0) other.write(head)
  socket.pipe(other)
  other.pipe(socket)
  for (const [from, to] of [
    [socket, other],
    [other, socket],
  ] as const) {
    // Either side's break ends both; a clean end is passed on by pipe.
    from.on('error', () => to.destroy())
    from.once('close', () => to.destroy())
  }
}

/** The application answered like any server: its answer, then the end of the connection. */
function refuse(socket: Duplex, incoming: IncomingMessage): void {
  socket.write(responseHead(incoming, ['Connection', 'close']))
  incoming.once('error', () => socket.destroy())
  incoming.pipe(socket)
}

function responseHead(incoming: IncomingMessage, more: readonly string[]): string {
  const fields = [...responseHeaders(incoming.rawHeaders, false), ...more]
  const lines = [`HTTP/1.1 ${incoming.statusCode} ${incoming.statusMessage ?? ''}`]
  for (let index = 0; index + 1 < fields.length; index += 2) lines.push(`${fields[index]}: ${fields[index + 1]}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

function once<Value>(call: (value: Value) => void): (value: Value) => void {
  let called = false
  return value => {
    if (called) return
    called = true
    call(value)
  }
}
