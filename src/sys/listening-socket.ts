import fs from 'node:fs'
import os from 'node:os'
import { isErrno } from '../core/error.ts'

/** What a socket is bound to. */
export type BoundTo =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

/**
 * Tell what a listening socket of ours is bound to; undefined when the descriptor is none, or has no address that clients could use.
 *
 * Source: proc(5), /proc/PID/net: state 0A is LISTEN, addresses are words in the machine's byte order.
 */
export function listeningAddress(descriptor: number): BoundTo | undefined {
  const inode = socketInode(descriptor)
  if (inode === undefined) return undefined
  return findTcp('tcp', inode) ?? findTcp('tcp6', inode) ?? findUnix(inode)
}

function socketInode(descriptor: number): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(fs.readlinkSync(`/proc/self/fd/${descriptor}`))?.[1]
  } catch (caught) {
    if (isErrno(caught, 'ENOENT')) return undefined
    throw caught
  }
}

function findTcp(table: 'tcp' | 'tcp6', inode: string): BoundTo | undefined {
  for (const line of rows(table)) {
    const [, local = '', , state, , , , , , found] = line.trim().split(/\s+/)
    if (found !== inode || state !== '0A') continue
    const [host = '', port = ''] = local.split(':')
    return { kind: 'tcp', host: table === 'tcp' ? ipv4(host) : ipv6(host), port: Number.parseInt(port, 16) }
  }
  return undefined
}

/** Source: unix(7): a flag says that it accepts, and what has no path, or one in the abstract name space, begins otherwise. */
function findUnix(inode: string): BoundTo | undefined {
  for (const line of rows('unix')) {
    const match = /^\S+ \S+ \S+ (\S+) \S+ \S+ +(\d+) (\/.*)$/.exec(line)
    if (match?.[2] === inode && (Number.parseInt(match[1]!, 16) & acceptsFlag) !== 0)
      return { kind: 'unix', path: match[3]! }
  }
  return undefined
}

/** Source: linux/net.h, SO_ACCEPTCON. */
const acceptsFlag = 0x10000

/** A machine without IPv6 has no table of it. */
function rows(table: string): readonly string[] {
  try {
    return fs.readFileSync(`/proc/self/net/${table}`, 'utf8').split('\n').slice(1)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT')) return []
    throw caught
  }
}

function ipv4(hex: string): string {
  return [...networkBytes(hex)].join('.')
}

function ipv6(hex: string): string {
  const bytes = networkBytes(hex)
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16))
  // The one way to write it. Source: RFC 5952, as the URL standard's serializer has it.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

/** The kernel prints 32-bit words as this machine's processor reads them. */
function networkBytes(hex: string): Buffer {
  const bytes = Buffer.from(hex, 'hex')
  return os.endianness() === 'LE' ? bytes.swap32() : bytes
}
