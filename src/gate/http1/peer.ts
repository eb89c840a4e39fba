import { isIPv6 } from 'node:net'
import type { Origin } from '../front/exchange.ts'

/** Where a client connected to. */
export interface Destination {
  readonly address: string
  readonly port: number
}

/** Who is at the other end of a client's connection, and how that is told to the application; made once for each connection. */
export class Peer {
  readonly origin: Origin
  /** Whether it is believed what it says of the original client. */
  readonly isTrusted: boolean
  /** As far as it is known: for the PROXY protocol. */
  readonly destination: Destination | undefined
  /** The field that says whether the client came over TLS, as a line. */
  readonly protoLine: string
  /** What is told with a request of HTTP/1.1 that says nothing itself of where it came from. */
  readonly lines: string

  constructor(origin: Origin, options: { readonly isTrusted: boolean; readonly destination: Destination | undefined }) {
    this.origin = origin
    this.isTrusted = options.isTrusted
    this.destination = options.destination
    this.protoLine = `X-Forwarded-Proto: ${origin.isSecure ? 'https' : 'http'}\r\n`
    this.lines = `Via: 1.1 cutover\r\n${this.forwardedFor(undefined)}${this.protoLine}`
  }

  /** The line that continues a chain of addresses, or begins it; `''` when there is nobody to name. */
  forwardedFor(chain: string | undefined): string {
    const { remoteAddress } = this.origin
    if (remoteAddress === undefined) return chain === undefined ? '' : `X-Forwarded-For: ${chain}\r\n`
    return `X-Forwarded-For: ${chain === undefined ? '' : `${chain}, `}${remoteAddress}\r\n`
  }

  /** The line that continues what a trusted peer said. Source: RFC 7239 §4, §6 (node identifiers). */
  forwarded(chain: string): string {
    const { remoteAddress, isSecure } = this.origin
    const node =
      remoteAddress === undefined ? 'unknown' : isIPv6(remoteAddress) ? `"[${remoteAddress}]"` : remoteAddress
    return `Forwarded: ${chain}, for=${node};proto=${isSecure ? 'https' : 'http'}\r\n`
  }
}
