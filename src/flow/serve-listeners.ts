import { ReleaseError } from '../core/error.ts'
import type { HandoverListener } from '../gate/drivers/public-socket.ts'
import { type Address, formatAddress, parseAddress } from '../gate/front/address.ts'
import { listeningAddress } from '../sys/listening-socket.ts'
import type { HandedSocket } from '../sys/process.ts'
import { listenersOf, type ServedRelease } from './serve-release.ts'

/** One place where clients reach an application, and what is spoken there before HTTP. */
export interface ServeListener extends HandoverListener {
  readonly tls: boolean
  readonly proxyProtocol: boolean
}

/** What says where a prefix is reached, besides the release. */
export interface ListenOptions {
  /** Replaces the recipe's `gate.listen`. */
  readonly listen: string | undefined
  /** Listening sockets that were handed to us. */
  readonly inherited: readonly HandedSocket[]
}

/** A place as an option or a recipe names it. */
type Wanted = Omit<ServeListener, 'listening'>

/**
 * Say where clients reach a prefix: the option's address, else the release's; on sockets that were handed to us, if any were.
 *
 * Post: those that were handed are all there are, in the order of the recipe, with its names: matched by their address, then by their
 * name, then in their order. Errors: GATE_ADDRESS_INVALID, RECIPE_PLACEHOLDER.
 */
export function serveListeners(
  { listen, inherited }: ListenOptions,
  release: ServedRelease | undefined,
): readonly ServeListener[] {
  const wanted = wantedListeners(listen, release)
  if (inherited.length > 0) return inheritedListeners(inherited, wanted)
  return wanted.map(each => ({ ...each, listening: { kind: 'address', address: each.address } }))
}

/** Tell whether sockets are where a release says, as far as it says that: another one may have opened them. */
export function areListenersOf(release: ServedRelease, sockets: readonly Pick<HandedSocket, 'boundTo'>[]): boolean {
  const wanted = wantedListeners(undefined, release)
  return wanted.length === sockets.length && wanted.every(each => sockets.some(({ boundTo }) => isAt(each, boundTo)))
}

/** The name of a host may have become any of its addresses. */
function isAt({ address }: Wanted, boundTo: HandedSocket['boundTo']): boolean {
  if (address.kind === 'unix') return boundTo?.kind === 'unix' && boundTo.path === address.path
  return boundTo?.kind === 'tcp' && (address.port === 0 || address.port === boundTo.port)
}

function wantedListeners(listen: string | undefined, release: ServedRelease | undefined): readonly Wanted[] {
  if (listen !== undefined) return [{ name: 'http', address: parseAddress(listen), tls: false, proxyProtocol: false }]
  if (release === undefined) return []
  return listenersOf(release).map(each => ({ ...each, address: parseAddress(each.address) }))
}

function inheritedListeners(inherited: readonly HandedSocket[], wanted: readonly Wanted[]): readonly ServeListener[] {
  const left = inherited.map((socket, index) => ({ ...socket, address: boundTo(socket, wanted[index]) }))
  const take = (isMeant: (socket: { name: string; address: Address }) => boolean) => {
    const index = left.findIndex(isMeant)
    return index < 0 ? undefined : left.splice(index, 1)[0]
  }
  const alike = wanted.map(({ address }) => take(socket => formatAddress(socket.address) === formatAddress(address)))
  const named = wanted.map(({ name }, index) => alike[index] ?? take(socket => socket.name === name))
  const found = wanted.flatMap((each, index) => {
    const socket = named[index] ?? left.shift()
    return socket === undefined ? [] : [{ ...each, ...placed(socket) }]
  })
  return [...found, ...left.map(socket => ({ name: socket.name, tls: false, proxyProtocol: false, ...placed(socket) }))]
}

function placed({ descriptor, address }: HandedSocket & { readonly address: Address }) {
  return { address, listening: { kind: 'descriptor', descriptor } } as const
}

/** One that is bound, but listens only once somebody accepts, does not show where: then it is where it should be. */
function boundTo({ descriptor, name, boundTo: told }: HandedSocket, wanted: Wanted | undefined): Address {
  const address = told ?? listeningAddress(descriptor) ?? wanted?.address
  if (address !== undefined) return address
  throw new ReleaseError('GATE_ADDRESS_INVALID', `descriptor ${descriptor} (${name}) is no socket that listens`, {
    details: { descriptor, name },
  })
}
