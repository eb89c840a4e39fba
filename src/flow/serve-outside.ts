import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import { type HaproxyPlaces, haproxyRouter } from '../gate/drivers/haproxy.ts'
import { type NginxPlaces, nginxRouter } from '../gate/drivers/nginx.ts'
import type { OutsideGateOptions } from '../gate/drivers/outside.ts'
import type { Router } from '../gate/drivers/router.ts'
import { type WaitingPlace, waitingAddress } from '../gate/drivers/waiting-socket.ts'
import type { PrefixIdentity } from '../prefix/identity.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import { instanceName } from '../service/names.ts'
import type { ServedRelease } from './serve-release.ts'

/** Where a release and the server of the machine in front of it meet. */
export type OutsidePlaces =
  | {
      readonly kind: 'haproxy'
      readonly waiting: WaitingPlace
      readonly haproxy: HaproxyPlaces
      /** Where HAProxy locks itself up; it sees our socket from there. */
      readonly chroot: string | undefined
    }
  | { readonly kind: 'nginx'; readonly waiting: WaitingPlace; readonly nginx: NginxPlaces }

/** Which prefix it is. */
export interface OutsidePrefix {
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
}

/** Say where a release meets the server in front of it, as its recipe has it for this prefix. Errors: GATE_SERVER_SETTINGS, GATE_ADDRESS_INVALID, RECIPE_PLACEHOLDER. */
export function outsidePlaces(
  kind: 'haproxy' | 'nginx',
  release: ServedRelease,
  { paths, identity }: OutsidePrefix,
): OutsidePlaces {
  const { haproxy, nginx } = release.node.gate
  const at = (key: string, text: string | undefined, usual: string) => placeIn(release, `${kind}.${key}`, text ?? usual)
  const common = kind === 'haproxy' ? haproxy : nginx
  // Two slots of a site are one application on one machine.
  const usualName = identity.slot === undefined ? identity.application : `${identity.application}-${identity.slot.name}`
  const name = common.name ?? usualName
  const chroot = haproxy.chroot === undefined ? undefined : at('chroot', haproxy.chroot, '/')
  const usualFolder = waitingFolder(kind === 'haproxy' ? chroot : undefined, { paths, identity })
  const waiting = { folder: at('folder', common.folder, usualFolder), group: common.group }
  if (kind === 'nginx') {
    const file = at('file', nginx.file, `/etc/nginx/conf.d/cutover-${name}.conf`)
    const pidFile = at('pidFile', nginx.pidFile, nginx.pidFile)
    return { kind, waiting, nginx: { name, file, pidFile, check: nginx.check, waiting: waitingAddress(waiting) } }
  }
  const map = at('map', haproxy.map, path.join(paths.run, 'routes.map'))
  const key = fillPlaceholders(haproxy.key ?? name, release.values, 'node.gate.haproxy.key')
  const socket = at('socket', haproxy.socket, haproxy.socket)
  const stateFile = path.join(paths.run, 'haproxy.state')
  return { kind, waiting, chroot, haproxy: { socket, map, key, name, stateFile } }
}

/** Make what tells the server. */
export function outsideRouter(places: OutsidePlaces): Router {
  return places.kind === 'haproxy' ? haproxyRouter(places.haproxy) : nginxRouter(places.nginx)
}

/** Tell what the server in front does not do, and when it does it again. */
export function tellTrouble(kind: string, emit: Emit): OutsideGateOptions['tell'] {
  return trouble => {
    if (trouble === undefined) emit({ kind: 'note', message: `${kind} does what it is told again` })
    else emit({ kind: 'warning', code: trouble.code, message: `${trouble.message}; ${trouble.hint}` })
  }
}

/** Below `run/` of a prefix nobody but its service's user gets where root serves. */
function waitingFolder(chroot: string | undefined, { paths, identity }: OutsidePrefix): string {
  const instance = instanceName(identity.application, paths.root)
  if (chroot !== undefined) return path.join(chroot, 'cutover', instance)
  return process.geteuid!() === 0 ? path.join('/run/cutover', instance) : path.join(paths.run, 'waiting')
}

function placeIn(release: ServedRelease, key: string, text: string): string {
  const place = fillPlaceholders(text, release.values, `node.gate.${key}`)
  if (path.isAbsolute(place)) return path.normalize(place)
  throw new ReleaseError(
    'GATE_SERVER_SETTINGS',
    `node.gate.${key} is ${JSON.stringify(place)}, which is no absolute path`,
  )
}
