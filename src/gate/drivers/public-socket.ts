import dns from 'node:dns/promises'
import fs from 'node:fs'
import net from 'node:net'
import { ReleaseError } from '../../core/error.ts'
import type { HandedSocket } from '../../sys/process.ts'
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

/** A socket that clients reach: ours from its binding on, and so to be given to other processes by its descriptor. */
export interface PublicSocket extends HandedSocket {
  readonly address: Address
  readonly boundTo: Address
  /** What a gate listens with that accepts on it in this process; it closes it. */
  readonly listening: Listening
  /** Close our copy, for another process has one. Pre: nobody accepts on it in this process. */
  readonly leave: () => void
  /** Give it up. Pre: whoever accepted on it in this process has closed it. */
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
  if (listening.kind === 'descriptor') {
    const { descriptor } = listening
    const leave = () => fs.closeSync(descriptor)
    return { name, descriptor, address, boundTo: address, listening, leave, close: () => {} }
  }
  assertBindable()
  if (address.kind === 'unix') {
    for (const place of [address.path, bindingPlace(address.path)]) await removeDeadSocket(place)
  }
  try {
    return address.kind === 'unix' ? bindUnix(name, address, owner) : bindTcp(name, await numeric(address), all)
  } catch (caught) {
    throw listenError(caught, listening)
  }
}

/** Whether a socket can be bound here that knows its descriptor. Node 26.4 has it, its types always. */
export const canBindSockets = 'BoundSocket' in net

/** Errors: HANDOVER_UNSUPPORTED. */
function assertBindable(): void {
  if (canBindSockets) return
  throw new ReleaseError('HANDOVER_UNSUPPORTED', `Node ${process.version} has no net.BoundSocket, which is in 26.4`)
}

async function numeric(address: Address & { kind: 'tcp' }): Promise<Address & { kind: 'tcp' }> {
  if (net.isIP(address.host) !== 0) return address
  return { ...address, host: (await dns.lookup(address.host)).address }
}

function bindTcp(name: string, wanted: Address & { kind: 'tcp' }, all: readonly HandoverListener[]): PublicSocket {
  const { host, port } = wanted
  // A socket for both would be in the way of the one for IPv4. Source: ipv6(7), IPV6_V6ONLY.
  const ipv6Only = host.includes(':') && all.some(({ address }) => isIpv4Port(address, port))
  const bound = new net.BoundSocket({ host, port, ipv6Only })
  const { address: boundHost, port: boundPort } = bound.address()
  return publicSocket(name, bound, { kind: 'tcp', host: boundHost, port: boundPort })
}

function publicSocket(name: string, socket: net.BoundSocket, address: Address): PublicSocket {
  const listening = { kind: 'bound', socket, address } as const
  const leave = () => socket[Symbol.dispose]()
  const inode = address.kind === 'unix' ? fs.lstatSync(address.path).ino : undefined
  const close = () => {
    leave()
    if (address.kind === 'unix') removeOwn(address.path, inode!)
  }
  return { name, descriptor: socket.fd(), address, boundTo: address, listening, leave, close }
}

/** What another process has put in its place since stays. */
function removeOwn(file: string, inode: number): void {
  if (fs.lstatSync(file, { throwIfNoEntry: false })?.ino === inode) fs.rmSync(file, { force: true })
}

function isIpv4Port(address: Address, port: number): boolean {
  return address.kind === 'tcp' && !address.host.includes(':') && address.port === port
}

/** Another name of the same length in the same folder. */
const bindingPlace = (place: string) => `${place.slice(0, -1)}${place.endsWith('~') ? '-' : '~'}`

/**
 * Bind a unix socket under another name and give it its own.
 *
 * Node removes what it was bound to when it closes it: that must not be the name by which clients reach a process after us. What is in
 * its place stays, whatever it is: a recipe names it. Source: link(2).
 */
function bindUnix(name: string, wanted: Address & { kind: 'unix' }, owner: SocketOwner | undefined): PublicSocket {
  const bindingAt = bindingPlace(wanted.path)
  const maskBefore = process.umask(maskOfSockets)
  try {
    // The types of 26.6 know ports only.
    const bound = new net.BoundSocket({ path: bindingAt } as object)
    // Not what a link in its place names, were somebody that quick.
    if (owner !== undefined) fs.lchownSync(bindingAt, owner.uid, owner.gid)
    takeName(bound, bindingAt, wanted.path)
    return publicSocket(name, bound, wanted)
  } finally {
    process.umask(maskBefore)
  }
}

/** Give a bound socket its name instead of the one that it was bound under. Post: without it, nothing is left. */
function takeName(bound: net.BoundSocket, bindingAt: string, place: string): void {
  try {
    fs.linkSync(bindingAt, place)
  } catch (caught) {
    bound[Symbol.dispose]()
    throw caught
  } finally {
    fs.rmSync(bindingAt, { force: true })
  }
}
