import { isIPv4, isIPv6, SocketAddress } from 'node:net'

/** One end of a connection. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** Who a PROXY header says opened the connection, and to where; `self`: the proxy did, so that the connection's own addresses count. */
export type ProxySender =
  | { readonly kind: 'self' }
  | { readonly kind: 'unix' }
  | { readonly kind: 'tcp'; readonly source: Endpoint; readonly destination: Endpoint }

/** What the first bytes of a connection are: a whole header and its length, the beginning of one, or none. */
export type ProxyHeader =
  | { readonly kind: 'header'; readonly sender: ProxySender; readonly sizeBytes: number }
  | { readonly kind: 'partial' }
  | { readonly kind: 'invalid'; readonly why: string }

/** The longest line of version 1, its end included. */
const longestLineBytes = 107

/** The longest header of version 2 that is read: the addresses need 216 bytes at most, the rest are additions that nobody here reads. */
const longestBlockBytes = 4096

const lineStart = Buffer.from('PROXY ')
const blockStart = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/**
 * Read the header of the PROXY protocol, version 1 or 2, at the start of a connection.
 *
 * Pre: `bytes` is all that came so far; asked again with more while the result is `partial`. Post: bounded by the two lengths above;
 * nothing behind the header is looked at. Source: HAProxy's proxy-protocol.txt §2.1 (version 1), §2.2 (version 2).
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsAlike(bytes, blockStart)) return parseBlock(bytes)
  if (startsAlike(bytes, lineStart)) return parseLine(bytes)
  return invalid('it does not begin with a PROXY header')
}

/** Tell whether as much as came is the beginning of something. */
function startsAlike(bytes: Buffer, start: Buffer): boolean {
  const sizeBytes = Math.min(bytes.length, start.length)
  return bytes.compare(start, 0, sizeBytes, 0, sizeBytes) === 0
}

function parseLine(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, longestLineBytes).indexOf('\r\n')
  if (end < 0) return bytes.length < longestLineBytes ? { kind: 'partial' } : invalid('the line is too long')
  const line = bytes.toString('latin1', 0, end)
  const sender = line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN ') ? self : lineSender(line)
  return sender === undefined ? invalid('the line is malformed') : header(sender, end + 2)
}

const self: ProxySender = { kind: 'self' }

function lineSender(line: string): ProxySender | undefined {
  const [, protocol, from = '', to = '', fromPort = '', toPort = '', ...more] = line.split(' ')
  const isAddress = protocol === 'TCP4' ? isIPv4 : protocol === 'TCP6' ? isPlainIPv6 : () => false
  const isWhole = isAddress(from) && isAddress(to) && isPort(fromPort) && isPort(toPort) && more.length === 0
  if (!isWhole) return undefined
  return {
    kind: 'tcp',
    source: { address: from, port: Number(fromPort) },
    destination: { address: to, port: Number(toPort) },
  }
}

/** Tell whether it is an address without the name of an interface of another machine. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%')
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535
}

/** What follows the signature: version and command, family and transport, the length of the rest. */
const blockHeadBytes = blockStart.length + 4

function parseBlock(bytes: Buffer): ProxyHeader {
  if (bytes.length < blockHeadBytes) return { kind: 'partial' }
  const [version, command] = halves(bytes[12]!)
  const [family, transport] = halves(bytes[13]!)
  const sizeBytes = blockHeadBytes + bytes.readUInt16BE(14)
  if (version !== 2) return invalid(`version ${version} of the PROXY protocol is not known`)
  if (command > 1) return invalid(`command ${command} of the PROXY protocol is not known`)
  if (sizeBytes > longestBlockBytes) return invalid('the header is too long')
  if (bytes.length < sizeBytes) return { kind: 'partial' }
  // For LOCAL, what else is said does not count.
  if (command === 0) return header(self, sizeBytes)
  if (family > 3 || transport > 2) return invalid('the family of the addresses is not known')
  // Where the transport is not told, the addresses are for logs only.
  const sender = transport === 0 ? self : blockSender(family, bytes.subarray(blockHeadBytes, sizeBytes))
  return sender === undefined ? invalid('the header is too short for its addresses') : header(sender, sizeBytes)
}

function halves(byte: number): readonly [number, number] {
  return [byte >> 4, byte & 15]
}

/** Read the sender's address; undefined when it is not whole. What follows both addresses is left alone. */
function blockSender(family: number, rest: Buffer): ProxySender | undefined {
  switch (family) {
    case 1:
      return rest.length < 12 ? undefined : tcpSender(rest, 4, bytes => bytes.join('.'))
    case 2:
      return rest.length < 36 ? undefined : tcpSender(rest, 16, ipv6Text)
    case 3:
      return rest.length < 216 ? undefined : { kind: 'unix' }
    default:
      return self
  }
}

/** Read two addresses and two ports. */
function tcpSender(rest: Buffer, sizeBytes: number, textOf: (bytes: Buffer) => string): ProxySender {
  const end = (index: 0 | 1) => ({
    address: textOf(rest.subarray(index * sizeBytes, (index + 1) * sizeBytes)),
    port: rest.readUInt16BE(2 * sizeBytes + 2 * index),
  })
  return { kind: 'tcp', source: end(0), destination: end(1) }
}

/** Write an address of 16 bytes in its shortest form. */
function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16))
  return new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address
}

function header(sender: ProxySender, sizeBytes: number): ProxyHeader {
  return { kind: 'header', sender, sizeBytes }
}

function invalid(why: string): ProxyHeader {
  return { kind: 'invalid', why }
}
