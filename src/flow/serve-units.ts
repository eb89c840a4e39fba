import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { type Address, parseAddress } from '../gate/front/address.ts'
import { readIdentity } from '../prefix/identity.ts'
import { currentVersion } from '../prefix/installed.ts'
import { type PrefixPaths, prefixPaths } from '../prefix/layout.ts'
import { instanceName } from '../service/names.ts'
import { renderServeUnits } from '../service/render-serve-unit.ts'
import { writeFileAtomic } from '../sys/files.ts'
import { listenText, readServedRelease } from './serve-release.ts'
import type { FlowTools } from './tools.ts'

export interface ServeUnitsOptions {
  readonly prefix: string
  /** Where the units go, such as `/etc/systemd/system`. */
  readonly folder: string
  /** Whether systemd opens the public socket and hands it over. */
  readonly withSocket: boolean
  /** The public address instead of the recipe's. */
  readonly listen: string | undefined
}

/**
 * Write the units that have systemd serve a prefix.
 *
 * Errors: PREFIX_UNKNOWN; SERVE_NO_RELEASE (with a socket: no release and no address), GATE_ADDRESS_INVALID, RECIPE_PLACEHOLDER.
 */
export function serveUnits(options: ServeUnitsOptions, { emit }: Pick<FlowTools, 'emit'>): void {
  const paths = prefixPaths(path.resolve(options.prefix))
  const identity = readIdentity(paths)
  const units = renderServeUnits({
    instance: instanceName(identity.application, paths.root),
    root: paths.root,
    argv: [path.join(paths.bin, 'serve'), ...(options.listen === undefined ? [] : ['--listen', options.listen])],
    listenStream: options.withSocket ? listenStream(parseAddress(options.listen ?? recipeListen(paths))) : undefined,
  })
  for (const [name, text] of Object.entries(units)) {
    writeFileAtomic(path.join(options.folder, name), text)
    emit({ kind: 'note', message: `wrote ${path.join(options.folder, name)}` })
  }
  const started = Object.keys(units).join(' ')
  emit({ kind: 'note', message: `start it with systemctl daemon-reload, then systemctl enable --now ${started}` })
}

function recipeListen(paths: PrefixPaths): string {
  const version = currentVersion(paths)
  if (version !== undefined) return listenText(readServedRelease(paths, readIdentity(paths), version))
  throw new ReleaseError('SERVE_NO_RELEASE', `${paths.root} has no release yet, so its address is not known`, {
    hint: 'name the address with --listen',
  })
}

/** Source: systemd.socket(5), ListenStream. */
function listenStream(address: Address): string {
  if (address.kind === 'unix') return address.path
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}
