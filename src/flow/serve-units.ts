import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { type Address, formatAddress } from '../gate/front/address.ts'
import { readIdentity } from '../prefix/identity.ts'
import { currentVersion } from '../prefix/installed.ts'
import { type PrefixPaths, prefixPaths } from '../prefix/layout.ts'
import type { GateKind } from '../recipe/schema.ts'
import { instanceName } from '../service/names.ts'
import { renderServeUnits, type UnitSocket } from '../service/render-serve-unit.ts'
import { writeFileAtomic } from '../sys/files.ts'
import { gateKind } from './serve-gate.ts'
import { serveListeners } from './serve-listeners.ts'
import { readServedRelease, type ServedRelease } from './serve-release.ts'
import type { FlowTools } from './tools.ts'

export interface ServeUnitsOptions {
  readonly prefix: string
  /** Where the units go, such as `/etc/systemd/system`. */
  readonly folder: string
  /** Whether systemd opens the public sockets and hands them over. */
  readonly withSocket: boolean
  /** The public address instead of the recipe's. */
  readonly listen: string | undefined
}

/**
 * Write the units that have systemd serve a prefix.
 *
 * Errors: PREFIX_UNKNOWN; with a socket: SERVE_NO_RELEASE (no release and no address), GATE_SERVER_SETTINGS, GATE_ADDRESS_INVALID, RECIPE_PLACEHOLDER.
 */
export function serveUnits(options: ServeUnitsOptions, { emit }: Pick<FlowTools, 'emit'>): void {
  const paths = prefixPaths(path.resolve(options.prefix))
  const identity = readIdentity(paths)
  const release = options.withSocket ? installedRelease(paths) : undefined
  if (options.withSocket) assertOwnAddress(gateKind({ mode: undefined, identity }, release))
  const units = renderServeUnits({
    instance: instanceName(identity.application, paths.root),
    root: paths.root,
    argv: [path.join(paths.bin, 'serve'), ...(options.listen === undefined ? [] : ['--listen', options.listen])],
    sockets: options.withSocket ? unitSockets(options.listen, release, paths.root) : [],
    owner: release?.account,
  })
  for (const [name, text] of Object.entries(units)) {
    writeFileAtomic(path.join(options.folder, name), text)
    emit({ kind: 'note', message: `wrote ${path.join(options.folder, name)}` })
  }
  const started = Object.keys(units).join(' ')
  emit({ kind: 'note', message: `start it with systemctl daemon-reload, then systemctl enable --now ${started}` })
}

/** Errors: GATE_SERVER_SETTINGS where the public address is that of the server in front. */
function assertOwnAddress(kind: GateKind): void {
  if (kind !== 'haproxy' && kind !== 'nginx') return
  throw new ReleaseError('GATE_SERVER_SETTINGS', `in mode ${kind} the public address is not ours to open`, {
    hint: 'leave --with-socket out',
  })
}

function installedRelease(paths: PrefixPaths): ServedRelease | undefined {
  const version = currentVersion(paths)
  return version === undefined ? undefined : readServedRelease(paths, readIdentity(paths), version)
}

function unitSockets(listen: string | undefined, release: ServedRelease | undefined, root: string): UnitSocket[] {
  const listeners = serveListeners({ listen, inherited: [] }, release)
  if (listeners.length > 0) return listeners.map(({ name, address }) => ({ name, stream: listenStream(address) }))
  throw new ReleaseError('SERVE_NO_RELEASE', `${root} has no release yet, so its address is not known`, {
    hint: 'name the address with --listen',
  })
}

/** Source: systemd.socket(5), ListenStream. */
function listenStream(address: Address): string {
  return address.kind === 'unix' ? address.path : formatAddress(address)
}
