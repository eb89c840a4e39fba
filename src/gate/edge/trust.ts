import { BlockList, isIPv6 } from 'node:net'

/** A set of addresses, such as a recipe lists. */
export interface Networks {
  /** Tell whether an address is one of them. An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is the same address; no address is none. */
  readonly includes: (address: string | undefined) => boolean
}

/**
 * Make a set of addresses and networks that is quick to ask.
 *
 * Pre: each is an address or CIDR notation, as the recipe's schema requires.
 */
export function compileNetworks(list: readonly string[]): Networks {
  const found = new BlockList()
  for (const network of list) {
    const [address, prefix] = network.split('/') as [string, string?]
    const family = familyOf(address)
    if (prefix === undefined) found.addAddress(address, family)
    else found.addSubnet(address, Number(prefix), family)
  }
  return { includes: address => address !== undefined && found.check(address, familyOf(address)) }
}

/**
 * Tell whether a peer is believed what it says of the original client.
 *
 * One on a unix socket has no address and is: the socket's permissions say who may connect to it.
 */
export function isTrusted(trusted: Networks, peerAddress: string | undefined): boolean {
  return peerAddress === undefined || trusted.includes(peerAddress)
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}
