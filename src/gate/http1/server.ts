import fs from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { isErrno, ReleaseError } from '../../core/error.ts'
import { answerBytes, problemAnswer } from '../answers/answer.ts'
import { type Address, formatAddress } from '../front/address.ts'
import type { Exchange } from '../front/exchange.ts'
import { requestExchange, upgradeExchange } from './request-exchange.ts'
import { accepts } from './upstream.ts'

/** Where to accept connections: an address of our own, a socket that is bound to one, or a listening descriptor that was handed to us. */
export type Listening =
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'bound'; readonly socket: net.BoundSocket; readonly address: Address }
  | { readonly kind: 'descriptor'; readonly descriptor: number }

/** Idle client connections are kept longer than balancers in front keep theirs (60 s), so that we never close one that they just use. */
const keepAliveMs = 75_000

/**
 * Make the server that clients reach. Framing is Node's strict parser plus what gate/http1/framing.ts refuses.
 *
 * Post: every exchange that is fit to be sent on is given to `take`; the others have been answered.
 */
export function createGateServer(take: (exchange: Exchange) => void): http.Server {
  const server = http.createServer({
    keepAliveTimeout: keepAliveMs,
    headersTimeout: 60_000,
    // A request that is held or uploads slowly is not late.
    requestTimeout: 0,
    noDelay: true,
    insecureHTTPParser: false,
    // Other protocols may be left out (RFC 9110 §7.8): such a request is answered like any other.
    shouldUpgradeCallback: request => request.headers.upgrade?.toLowerCase() === 'websocket',
  })
  const begin = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) => {
    const exchange = requestExchange(request, response, expectsContinue)
    if (exchange !== undefined) take(exchange)
  }
  server.on('request', (request, response) => begin(request, response, false))
  // With a listener of our own Node does not send 100 by itself: while held, the client keeps its body.
  server.on('checkContinue', (request, response) => begin(request, response, true))
  server.on('upgrade', (request, socket, head) => {
    const exchange = upgradeExchange(request, socket, head)
    if (exchange !== undefined) take(exchange)
  })
  server.on('connect', (_request, socket) => {
    socket.end(answerBytes(problemAnswer(501, 'CONNECT is not served.', true), { withBody: true }))
  })
  server.on('clientError', refuseUnparsed)
  return server
}

/** Begin to accept. Post: resolves with the address, its real port included. Errors: GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID. */
export async function listen(server: http.Server, listening: Listening): Promise<Address> {
  if (listening.kind === 'address' && listening.address.kind === 'unix') await removeDeadSocket(listening.address.path)
  return new Promise((resolve, reject) => {
    server.once('error', caught => reject(listenError(caught, listening)))
    const began = () => {
      server.removeAllListeners('error')
      resolve(listeningAddress(server, listening))
    }
    if (listening.kind === 'bound') server.listen(listening.socket, backlog, began)
    else server.listen(listenOptions(listening), began)
  })
}

/**
 * Stop accepting and leave alone what was accepted; `ended` is called when the last connection has ended.
 *
 * HTTP's own close also cuts idle connections, and counts among them those whose first request is on its way: a reset for a client that
 * did nothing wrong.
 */
export function stopAccepting(server: http.Server, ended: () => void): void {
  net.Server.prototype.close.call(server, () => ended())
}

/** How many connections wait in a socket's queue at most. */
const backlog = 4096

function listenOptions(listening: Exclude<Listening, { kind: 'bound' }>) {
  if (listening.kind === 'descriptor') return { fd: listening.descriptor, backlog }
  const { address } = listening
  return address.kind === 'unix'
    ? { path: address.path, backlog }
    : { host: address.host, port: address.port, exclusive: true, backlog }
}

function listeningAddress(server: http.Server, listening: Listening): Address {
  const bound = server.address()
  if (bound !== null && typeof bound === 'object') return { kind: 'tcp', host: bound.address, port: bound.port }
  if (listening.kind !== 'descriptor') return listening.address
  return { kind: 'unix', path: bound ?? '' }
}

/**
 * Remove a unix socket that nobody accepts on any more: it outlives its process and is in the way. What is no socket stays, for a recipe
 * names the path.
 */
export async function removeDeadSocket(path: string): Promise<void> {
  const isSocket = fs.lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true
  if (isSocket && !(await accepts({ kind: 'unix', path }, 1000))) fs.rmSync(path, { force: true })
}

/** Tell why an address cannot be listened on. */
export function listenError(caught: unknown, listening: Listening): ReleaseError {
  const where =
    listening.kind === 'descriptor' ? `descriptor ${listening.descriptor}` : formatAddress(listening.address)
  if (isErrno(caught, 'EADDRINUSE')) {
    return new ReleaseError('GATE_ADDRESS_IN_USE', `${where} is in use by another process`, {
      cause: caught,
      details: { address: where },
    })
  }
  const why = caught instanceof Error ? caught.message : String(caught)
  return new ReleaseError('GATE_ADDRESS_INVALID', `${where} cannot be listened on: ${why}`, {
    cause: caught,
    details: { address: where },
  })
}

function refuseUnparsed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const refused = problemAnswer(statusOf(error.code), 'The request could not be read.', true)
  socket.end(answerBytes(refused, { withBody: true }))
}

function statusOf(code: string | undefined): number {
  if (code === 'HPE_HEADER_OVERFLOW') return 431
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 408
  return 400
}
