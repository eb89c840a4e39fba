import { ReleaseError } from '../../core/error.ts'

/** Where something listens. */
export type Address = { readonly kind: 'tcp'; readonly host: string; readonly port: number } | UnixAddress

/** A unix socket on this machine. */
export interface UnixAddress {
  readonly kind: 'unix'
  readonly path: string
}

/** Linux keeps the path of a unix socket in 108 bytes, the final NUL among them. Source: unix(7). */
const longestUnixPathBytes = 107

/** Read `HOST:PORT`, `[HOST]:PORT` or `unix:PATH`. Errors: GATE_ADDRESS_INVALID. */
export function parseAddress(text: string): Address {
  if (text.startsWith('unix:')) return unixAddress(text.slice('unix:'.length))
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    throw new ReleaseError(
      'GATE_ADDRESS_INVALID',
      `${JSON.stringify(text)} is no address, expected HOST:PORT or unix:PATH`,
    )
  }
  return { kind: 'tcp', host: match[1] ?? match[2]!, port }
}

/** Name a unix socket. Errors: GATE_ADDRESS_INVALID when the path is relative or longer than the kernel takes. */
export function unixAddress(path: string): UnixAddress {
  const sizeBytes = Buffer.byteLength(path)
  if (path.startsWith('/') && sizeBytes <= longestUnixPathBytes) return { kind: 'unix', path }
  const why = path.startsWith('/')
    ? `it has ${sizeBytes} bytes of at most ${longestUnixPathBytes}`
    : 'it is not absolute'
  throw new ReleaseError('GATE_ADDRESS_INVALID', `${path} cannot be a unix socket: ${why}`, { details: { path } })
}

/** Write an address as {@link parseAddress} reads it. */
export function formatAddress(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

/** The same address as a client on this machine reaches it: a wildcard host becomes loopback. */
export function reachableAddress(address: Address): Address {
  if (address.kind === 'unix') return address
  if (address.host === '0.0.0.0') return { ...address, host: '127.0.0.1' }
  if (address.host === '::') return { ...address, host: '::1' }
  return address
}
