import { isIPv4 } from 'node:net'
import type { Peer } from './peer.ts'

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/**
 * Write the header of the PROXY protocol that a connection to the application begins with.
 *
 * Where no address is known (a unix socket), or one of each family, it says so instead of naming the gate.
 * Source: HAProxy's proxy-protocol.txt §2.1 (version 1), §2.2 (version 2).
 */
export function proxyProtocolHeader(version: 'v1' | 'v2', peer: Peer): Buffer {
  const ends = endsOf(peer)
  return version === 'v1' ? Buffer.from(line(ends)) : block(ends)
}

interface Ends {
  readonly family: 4 | 6
  readonly source: { readonly address: string; readonly port: number }
  readonly destination: { readonly address: string; readonly port: number }
}

function endsOf({ origin, destination }: Peer): Ends | undefined {
  if (origin.remoteAddress === undefined || destination === undefined) return undefined
  const source = { address: plainAddress(origin.remoteAddress), port: origin.remotePort ?? 0 }
  const target = { address: plainAddress(destination.address), port: destination.port }
  const isFour = isIPv4(source.address)
  if (isFour !== isIPv4(target.address)) return undefined
  return { family: isFour ? 4 : 6, source, destination: target }
}

/** An IPv4 address as such where it is written as IPv6, and without the name of an interface. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
}

function line(ends: Ends | undefined): string {
  if (ends === undefined) return 'PROXY UNKNOWN\r\n'
  const { family, source, destination } = ends
  return `PROXY TCP${family} ${source.address} ${destination.address} ${source.port} ${destination.port}\r\n`
}

function block(ends: Ends | undefined): Buffer {
  // Version 2, command PROXY; family and transport not told.
  if (ends === undefined) return Buffer.concat([signature, Buffer.from([0x21, 0x00, 0, 0])])
  const { family, source, destination } = ends
  const addresses = Buffer.concat([addressBytes(family, source.address), addressBytes(family, destination.address)])
  const head = Buffer.from([0x21, family === 4 ? 0x11 : 0x21, 0, addresses.length + 4])
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(source.port, 0)
  ports.writeUInt16BE(destination.port, 2)
  return Buffer.concat([signature, head, addresses, ports])
}

function addressBytes(family: 4 | 6, address: string): Buffer {
  if (family === 4) return Buffer.from(address.split('.').map(Number))
  const bytes = Buffer.alloc(16)
  ipv6Groups(address).forEach((group, index) => {
    bytes.writeUInt16BE(group, index * 2)
  })
  return bytes
}

/** The eight groups of an address. Pre: it is one, as the kernel writes it. */
function ipv6Groups(address: string): readonly number[] {
  const [front = '', back] = address.split('::')
  const read = (text: string) =>
    text === ''
      ? []
      : text.split(':').flatMap(group => {
          if (!group.includes('.')) return [Number.parseInt(group, 16)]
          const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
          return [a * 256 + b, c * 256 + d]
        })
  const first = read(front)
  const last = back === undefined ? [] : read(back)
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last]
}
