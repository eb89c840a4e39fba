import fs from 'node:fs'
import { isErrno } from '../../core/error.ts'

/** States of connections that carry something: established, being made. Source: the kernel's include/net/tcp_states.h. */
const openStates: ReadonlySet<string> = new Set(['01', '02'])

/**
 * Count the connections of this machine to a port of 127.0.0.1 that are open at their beginning, and not our own process's.
 *
 * Source: proc(5), /proc/net/tcp; /proc/self/fd tells which are ours.
 */
export function countConnections(port: number): number {
  const inodes = connectionInodes(fs.readFileSync('/proc/net/tcp', 'utf8'), port)
  if (inodes.length === 0) return 0
  const ours = ownSockets()
  return inodes.filter(inode => !ours.has(inode)).length
}

/**
 * Find the sockets that are connected to a port of 127.0.0.1.
 *
 * Shape: `sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode …`; an address is four bytes in the machine's order, in hex.
 */
export function connectionInodes(table: string, port: number): readonly string[] {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return table.split('\n').flatMap(line => {
    const [, , to, state, , , , , , inode] = line.trim().split(/\s+/)
    return to === remote && openStates.has(state ?? '') && inode !== undefined ? [inode] : []
  })
}

function ownSockets(): ReadonlySet<string> {
  const found = new Set<string>()
  for (const name of fs.readdirSync('/proc/self/fd')) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/self/fd/${name}`))?.[1]
    if (inode !== undefined) found.add(inode)
  }
  return found
}

/** One that was closed since it was listed leads nowhere. */
function linkOf(name: string): string {
  try {
    return fs.readlinkSync(name)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT')) return ''
    throw caught
  }
}
