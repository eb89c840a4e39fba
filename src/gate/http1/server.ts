import fs from 'node:fs'
import net from 'node:net'
import { isErrno, ReleaseError } from '../../core/error.ts'
import { type Address, formatAddress } from '../front/address.ts'
import { accepts } from './upstream.ts'

/** Where to accept connections: an address of our own, a socket that is bound to one, or a listening descriptor that was handed to us. */
export type Listening =
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'bound'; readonly socket: net.BoundSocket; readonly address: Address }
  | { readonly kind: 'descriptor'; readonly descriptor: number }

/** Make a server whose connections go to `serve`. Post: `serve` reads on after the client has ended its side, and ends its own. */
export function createGateServer(serve: (socket: net.Socket) => void): net.Server {
  // A client whose machine is gone says nothing for ever; a tunnel or stream to it would last as long.
  return net.createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, serve)
}

/** Begin to accept. Post: resolves with the address, its real port included. Errors: GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID. */
export async function listen(server: net.Server, listening: Listening): Promise<Address> {
  if (listening.kind === 'address' && listening.address.kind === 'unix') await removeDeadSocket(listening.address.path)
  return new Promise((resolve, reject) => {
    server.once('error', caught => reject(listenError(caught, listening)))
    const began = () => {
      server.removeAllListeners('error')
      // Without a descriptor to spare nothing can be accepted: connections wait in the socket's queue.
      server.on('error', () => {})
      resolve(listeningAddress(server, listening))
    }
    if (listening.kind === 'bound') server.listen(listening.socket, backlog, began)
    else server.listen(listenOptions(listening), began)
  })
}

/** Stop accepting and leave alone what was accepted. Post: resolves when the last connection has ended. */
export function stopAccepting(server: net.Server): Promise<void> {
  return new Promise(resolve => server.close(() => resolve()))
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

function listeningAddress(server: net.Server, listening: Listening): Address {
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
  if (isErrno(caught, 'EADDRINUSE', 'EEXIST')) {
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
