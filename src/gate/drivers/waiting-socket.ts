import fs from 'node:fs'
import path from 'node:path'
import { isErrno, ReleaseError } from '../../core/error.ts'
import { lookUpGroup } from '../../sys/account.ts'
import { makeFolder } from '../../sys/files.ts'
import type { HandedSocket } from '../../sys/process.ts'
import { type UnixAddress, unixAddress } from '../front/address.ts'
import type { Listening } from '../http1/server.ts'
import { canBindSockets, openPublicSockets, type PublicSocket } from './public-socket.ts'

/** Where requests come to us while they wait. */
export interface WaitingPlace {
  readonly folder: string
  /** The group of the server's processes. */
  readonly group: string
}

/** The name of the socket among those that a process hands on. */
export const waitingName = 'waiting'

/** The socket in the folder. */
export function waitingAddress({ folder }: WaitingPlace): UnixAddress {
  return unixAddress(path.join(folder, 'wait.sock'))
}

/**
 * Make the folder of the waiting room's socket: the server's group finds what it knows the name of, nobody else enters.
 *
 * Whoever reached the socket could name any client as the original one: it is believed, for its peers have no address.
 * Errors: GATE_SERVER_SETTINGS when there is no such group, or when we may give it nothing; FILE_IO.
 */
export function makeWaitingFolder({ folder, group }: WaitingPlace): void {
  const gid = lookUpGroup(group)
  if (gid === undefined) throw settingsError(`there is no group ${group} on this machine`, group)
  makeFolder(path.dirname(folder), { mode: 0o755 })
  makeFolder(folder, { mode: 0o710 })
  give(folder, gid, 0o710, group)
}

/**
 * Open the socket, or take it over from a process before us.
 *
 * Post: `sockets` are what another process can be given; undefined where this Node cannot. Errors: GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID.
 */
export async function openWaitingSocket(
  place: WaitingPlace,
  inherited: HandedSocket | undefined,
): Promise<{ readonly listening: Listening; readonly sockets: readonly PublicSocket[] | undefined }> {
  const address = waitingAddress(place)
  const listening: Listening =
    inherited === undefined ? { kind: 'address', address } : { kind: 'descriptor', descriptor: inherited.descriptor }
  if (inherited === undefined && !canBindSockets) return { listening, sockets: undefined }
  const sockets = await openPublicSockets([{ name: waitingName, listening, address }], undefined)
  return { listening: sockets[0]!.listening, sockets }
}

/** Let the server's group connect to the socket. Pre: it listens. Errors: GATE_SERVER_SETTINGS. */
export function shareWaitingSocket(place: WaitingPlace): void {
  give(waitingAddress(place).path, lookUpGroup(place.group)!, 0o660, place.group)
}

function give(file: string, gid: number, mode: number, group: string): void {
  try {
    fs.chownSync(file, process.geteuid!(), gid)
    fs.chmodSync(file, mode)
  } catch (caught) {
    if (!isErrno(caught, 'EPERM', 'EACCES')) throw caught
    throw settingsError(`${file} cannot be given to the group ${group}: ${caught.message}`, group)
  }
}

function settingsError(what: string, group: string): ReleaseError {
  return new ReleaseError('GATE_SERVER_SETTINGS', what, {
    hint: 'name the group of its processes in node.gate.haproxy.group or node.gate.nginx.group; whoever serves must be root or in it',
    details: { group },
  })
}
