import fs from 'node:fs'
import net from 'node:net'
import { ReleaseError } from '../../core/error.ts'
import type { Address } from '../front/address.ts'
import { type Listening, listenError, removeDeadSocket } from '../http1/server.ts'

/** Where clients reach the application in mode handover: a place to bind, or a socket that was handed to us. */
export interface HandoverListener {
  /** Its name in LISTEN_FDNAMES. */
  readonly name: string
  readonly listening: Listening
  /** What it is bound to; of a place to bind, port 0 takes a free one. */
  readonly address: Address
}

/** A listening socket that nobody accepts on in this process. */
export interface PublicSocket {
  readonly name: string
  readonly descriptor: number
  readonly address: Address
  readonly close: () => void
}

/** Whose a unix socket is. */
export interface SocketOwner {
  readonly uid: number
  readonly gid: number
}

/** Everybody of this machine may connect, as to a port; the folder that it is in can say less. It is what systemd's SocketMode says. */
const maskOfSockets = 0o111

/**
 * Bind, or take over, the sockets that are given to an application.
 *
 * Unix sockets belong to `owner`, mode 0666. Post: all of them, or none. Errors: GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID,
 * HANDOVER_UNSUPPORTED.
 */
export async function openPublicSockets(
  listeners: readonly HandoverListener[],
  owner: SocketOwner | undefined,
): Promise<readonly PublicSocket[]> {
  const sockets: PublicSocket[] = []
  try {
    for (const listener of listeners) sockets.push(await openSocket(listener, listeners, owner))
    return sockets
  } catch (caught) {
    for (const socket of sockets) socket.close()
    throw caught
  }
}

async function openSocket(
  { name, listening, address }: HandoverListener,
  all: readonly HandoverListener[],
  owner: SocketOwner | undefined,
): Promise<PublicSocket> {
  if (listening.kind === 'descriptor') return { name, descriptor: listening.descriptor, address, close: () => {} }
  assertBindable()
  if (address.kind === 'unix') await removeDeadSocket(address.path)
  try {
    return address.kind === 'unix' ? bindUnix(name, address, owner) : bindTcp(name, address, all)
  } catch (caught) {
    throw listenError(caught, listening)
  }
}

/** Node 26.4 has it, its types always. Errors: HANDOVER_UNSUPPORTED. */
function assertBindable(): void {
  if ('BoundSocket' in net) return
  throw new ReleaseError('HANDOVER_UNSUPPORTED', `Node ${process.version} has no net.BoundSocket, which is in 26.4`)
}

function bindTcp(name: string, wanted: Address & { kind: 'tcp' }, all: readonly HandoverListener[]): PublicSocket {
  const { host, port } = wanted
  // A socket for both would be in the way of the one for IPv4. Source: ipv6(7), IPV6_V6ONLY.
  const ipv6Only = host.includes(':') && all.some(({ address }) => isIpv4Port(address, port))
  const bound = new net.BoundSocket({ host, port, ipv6Only })
  const { address: boundHost, port: boundPort } = bound.address()
  return {
    name,
    descriptor: bound.fd(),
    address: { kind: 'tcp', host: boundHost, port: boundPort },
    close: () => bound.close(),
  }
}

function isIpv4Port(address: Address, port: number): boolean {
  return address.kind === 'tcp' && !address.host.includes(':') && address.port === port
}

function bindUnix(name: string, wanted: Address & { kind: 'unix' }, owner: SocketOwner | undefined): PublicSocket {
  const maskBefore = process.umask(maskOfSockets)
  try {
    // The types of 26.6 know ports only.
    const bound = new net.BoundSocket({ path: wanted.path } as object)
    // Not what a link in its place names, were somebody that quick.
    if (owner !== undefined) fs.lchownSync(wanted.path, owner.uid, owner.gid)
    return { name, descriptor: bound.fd(), address: wanted, close: () => bound.close() }
  } finally {
    process.umask(maskBefore)
  }
}
