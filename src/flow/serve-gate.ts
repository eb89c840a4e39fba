import path from 'node:path'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import { openHandoverGate } from '../gate/drivers/handover.ts'
import { openOutsideGate } from '../gate/drivers/outside.ts'
import { openProxyGate } from '../gate/drivers/proxy.ts'
import { canBindSockets, openPublicSockets } from '../gate/drivers/public-socket.ts'
import { waitingName } from '../gate/drivers/waiting-socket.ts'
import { type Address, formatAddress } from '../gate/front/address.ts'
import { type FrontSettings, frontSettings } from '../gate/front/settings.ts'
import type { Gate } from '../gate/gate.ts'
import type { GateMode } from '../gate/machine/machine.ts'
import type { Observing } from '../gate/observe/observing.ts'
import type { PrefixIdentity } from '../prefix/identity.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import { gate as recipeGate } from '../recipe/schema/gate.ts'
import type { GateKind } from '../recipe/schema.ts'
import type { HandedSocket } from '../sys/process.ts'
import { type ServeListener, serveListeners } from './serve-listeners.ts'
import { outsidePlaces, outsideRouter, tellTrouble } from './serve-outside.ts'
import type { ServedRelease } from './serve-release.ts'
import { readFrontSettings } from './serve-settings.ts'

/** What the gate of a prefix depends on besides the release. */
export interface ServeGateOptions {
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  /** Replaces the recipe's and the prefix's. */
  readonly mode: GateKind | undefined
  /** Replaces the recipe's `gate.listen`. */
  readonly listen: string | undefined
  /** Listening sockets that were handed to us. Source: sd_listen_fds(3). */
  readonly inherited: readonly HandedSocket[]
  /** Where the listening service accepts already, for a serving process before us. */
  readonly servicePlace?: Address | undefined
  /** How to run a hold worker; see gate/drivers/hold-worker.ts. */
  readonly workerArgv: readonly [string, ...string[]]
  /** Told of the requests of this process. */
  readonly observing: Observing
  readonly emit: Emit
}

/** How the gate behaves before any release says how: it has nothing to hold requests for. */
const settingsBeforeRelease: FrontSettings = {
  ...frontSettings(recipeGate.parse({})),
  hold: { requests: 0, bytes: 0, ageMs: 0 },
}

/**
 * Open the gate of a prefix, as its release says; without a release as the options say.
 *
 * Pre: `listen` or `inherited` is given when there is no release. Errors: GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID, HANDOVER_UNSUPPORTED,
 * GATE_SERVER_SETTINGS, GATE_TLS_INVALID, GATE_TLS_KEY_EXPOSED, RECIPE_PLACEHOLDER.
 */
export async function openGate(
  options: ServeGateOptions,
  mode: GateMode,
  release: ServedRelease | undefined,
): Promise<Gate> {
  const { paths, emit } = options
  const listeners = serveListeners(options, release)
  const settings = release === undefined ? settingsBeforeRelease : readFrontSettings(release, paths, emit)
  const shared = { settings, mode, expectsService: release !== undefined }
  const gate = await openGateOfKind(gateKind(options, release), { options, listeners, release, shared })
  emit({ kind: 'note', message: `${gate.kind} gate at ${formatAddress(gate.address)}` })
  return gate
}

interface GateParts {
  readonly options: ServeGateOptions
  readonly listeners: readonly ServeListener[]
  readonly release: ServedRelease | undefined
  readonly shared: { readonly settings: FrontSettings; readonly mode: GateMode; readonly expectsService: boolean }
}

function openGateOfKind(kind: GateKind, { options, listeners, release, shared }: GateParts): Promise<Gate> {
  const { paths, workerArgv, emit, observing: observer } = options
  const runFolder = serviceSocketFolder(paths)
  if (kind === 'proxy') {
    const { servicePlace } = options
    return openProxy(listeners, { ...shared, runFolder, observer, servicePlace, warn: error => warn(emit, error) })
  }
  if (kind === 'handover') {
    return openHandoverGate({ ...shared, listeners: handedOver(listeners), owner: release?.account, workerArgv })
  }
  if (release === undefined) {
    throw new ReleaseError(
      'GATE_SERVER_SETTINGS',
      `what ${kind} is to be told is not known before there is a release`,
      {
        hint: 'leave the address out: the gate opens with the first release',
      },
    )
  }
  const places = outsidePlaces(kind, release, options)
  return openOutsideGate({
    ...shared,
    router: outsideRouter(places),
    place: places.waiting,
    address: serveListeners({ ...options, inherited: [] }, release)[0]!.address,
    inherited: options.inherited.find(({ name }) => name === waitingName),
    servicePlace: options.servicePlace,
    runFolder,
    tell: tellTrouble(kind, emit),
    observer,
  })
}

function warn(emit: Emit, caught: unknown): void {
  const { code, message } = toReleaseError(caught)
  emit({ kind: 'warning', code, message })
}

/** Errors: GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID, GATE_TLS_INVALID, GATE_TLS_KEY_EXPOSED. */
async function openProxy(
  listeners: readonly ServeListener[],
  options: Omit<Parameters<typeof openProxyGate>[0], 'listeners' | 'sockets'>,
): Promise<Gate> {
  const canBind = canBindSockets || listeners.every(({ listening }) => listening.kind === 'descriptor')
  if (!canBind) {
    return openProxyGate({ ...options, listeners: listeners.map(each => ({ listening: each.listening, door: each })) })
  }
  const sockets = await openPublicSockets(listeners, undefined)
  try {
    const opened = sockets.map(({ listening }, index) => ({ listening, door: listeners[index] }))
    return await openProxyGate({ ...options, listeners: opened, sockets })
  } catch (caught) {
    for (const socket of sockets) socket.close()
    throw caught
  }
}

/** In handover the application reads what comes: nothing of ours can be before it. Errors: HANDOVER_UNSUPPORTED. */
function handedOver(listeners: readonly ServeListener[]): readonly ServeListener[] {
  const refused = listeners.find(({ tls, proxyProtocol }) => tls || proxyProtocol)
  if (refused === undefined) return listeners
  const what = refused.tls ? 'speaks TLS' : 'begins with the PROXY protocol'
  throw new ReleaseError(
    'HANDOVER_UNSUPPORTED',
    `${formatAddress(refused.address)} ${what}, but in mode handover nobody reads what comes there before the application`,
    { hint: 'let the application do it and take it out of gate.listen, or use mode proxy' },
  )
}

/** Where the socket of a service behind a proxy goes: a folder of the service's user, which has no other below `run/`. */
export function serviceSocketFolder(paths: PrefixPaths): string {
  return path.join(paths.run, 'service')
}

/** Tell which way the gate of a prefix stands in front of its application: an option, else the prefix, else the recipe says. */
export function gateKind(
  { mode, identity }: Pick<ServeGateOptions, 'mode' | 'identity'>,
  release: ServedRelease | undefined,
): GateKind {
  return mode ?? identity.gateMode ?? release?.node.gate.mode ?? 'proxy'
}
