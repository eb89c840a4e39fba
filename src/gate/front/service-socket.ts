import fs from 'node:fs'
import path from 'node:path'
import { isErrno } from '../../core/error.ts'
import type { Address } from './address.ts'

/** What a client of ours connects to. */
export type ConnectTarget = { readonly host: string; readonly port: number } | { readonly socketPath: string }

/**
 * Say where to connect to reach an application.
 *
 * Pre: called right before each connection. Post: where we are root and the folder of the socket is another user's, it is a second name
 * of the socket that only root can change: else an application could have us pass requests to any socket of this machine, by a link in
 * the place of its own. Source: link(2), which follows no link, unlike connect(2).
 */
export function connectTarget(address: Address): ConnectTarget {
  if (address.kind === 'tcp') return { host: address.host, port: address.port }
  const folder = path.dirname(address.path)
  const isAnothers = process.geteuid!() === 0 && (lstat(folder)?.uid ?? 0) !== 0
  return { socketPath: isAnothers ? holdSocket(address.path, `${folder}.sock`) : address.path }
}

/** Give a socket its second name, unless it has it. Post: what is no socket has none. */
function holdSocket(socket: string, held: string): string {
  const [found, known] = [lstat(socket), lstat(held)]
  if (found !== undefined && known?.ino === found.ino && known.dev === found.dev) return held
  fs.rmSync(held, { force: true })
  try {
    fs.linkSync(socket, held)
  } catch (caught) {
    // Not there yet, or not any more: to connect fails, and says so.
    if (isErrno(caught, 'ENOENT')) return held
    throw caught
  }
  if (lstat(held)?.isSocket() !== true) fs.rmSync(held, { force: true })
  return held
}

function lstat(place: string): fs.Stats | undefined {
  return fs.lstatSync(place, { throwIfNoEntry: false })
}
