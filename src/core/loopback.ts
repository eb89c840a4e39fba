/** Tell whether a host name of a URL is this machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

/**
 * Tell whether a host of a URL is this machine, or one that only it can reach: loopback, unspecified and link-local addresses.
 *
 * Pre: as URL writes it, which knows all spellings of an address. Source: RFC 6890 §2.2.
 */
export function isInward(hostname: string): boolean {
  const name = hostname.replace(/\.$/, '')
  if (isLoopback(name) || name.endsWith('.localhost')) return true
  return /^(0|127|169\.254)(\.\d+)+$/.test(name) || /^\[(::1?|::ffff:(7f|a9fe|0:).*|fe[89ab].*)\]$/.test(name)
}
