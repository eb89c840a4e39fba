import fs from 'node:fs'
import { parseReleaseRecord } from '../payload/release-record.ts'
import { accountOf } from '../prefix/account.ts'
import type { PrefixIdentity } from '../prefix/identity.ts'
import { type PrefixPaths, releasePaths } from '../prefix/layout.ts'
import { roleMounts } from '../prefix/mounts.ts'
import type { RecipeService } from '../recipe/schema.ts'
import { containService } from '../service/container.ts'
import type { ServiceSpec } from '../service/driver.ts'
import { type ListeningPlaceholders, resolveServices } from '../service/spec.ts'
import type { Account } from '../sys/account.ts'
import { makeFolder, readFile } from '../sys/files.ts'
import { serviceSocketFolder } from './serve-gate.ts'
import type { ServedRelease } from './serve-release.ts'

/** What services of a release are filled in with, besides the release. */
export interface SpecContext {
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  /** What services get of our environment. */
  readonly base: Readonly<Record<string, string>>
}

/**
 * Fill in a service of a release: its user, its container, its place behind the gate.
 *
 * Errors: RECIPE_PLACEHOLDER, ACCOUNT_UNKNOWN, ACCOUNT_DENIED, COMPOSE_INVALID, SERVICE_DRIVER_UNSUITABLE.
 */
export async function specOf(
  service: RecipeService,
  release: ServedRelease,
  listening: ListeningPlaceholders,
  { paths, identity, base }: SpecContext,
): Promise<ServiceSpec> {
  const { node, values, folder } = release
  const account = accountOf({ name: identity.application, node })
  const [spec] = resolveServices({
    services: [service],
    values,
    releaseFolder: folder,
    listening,
    base: baseOf(service, node.user, base, paths),
    account,
  })
  const sockets = serviceSocketFolder(paths)
  // The service's alone: whoever else got there would go round the gate.
  makeFolder(sockets, { mode: 0o700 })
  if (account !== undefined) shareSockets(paths, sockets, account)
  return containService(spec!, service, {
    values,
    secretFiles: node.secrets.filter(secret => secret.as === 'file').map(secret => secret.name),
    services: node.services.map(each => each.name),
    releaseFolder: folder,
    sharedFolder: paths.shared,
    mountedFolders: mountedFolders(release, { paths, identity }),
    socketFolder: sockets,
    releaseImage: () => releaseImage(paths, release.version),
  })
}

/** Give a service's user its folder below `run/`, with a way there and to nothing else: whoever can open the lock can keep it. */
function shareSockets({ run, lock }: PrefixPaths, sockets: string, { uid, gid }: Account): void {
  if (fs.existsSync(lock)) fs.chmodSync(lock, 0o600)
  fs.chownSync(run, 0, gid)
  fs.chmodSync(run, 0o710)
  fs.chownSync(sockets, uid, gid)
}

/** What a service gets without its recipe's doing: a container nothing of this machine, another user nothing of who we are. */
function baseOf(
  service: RecipeService,
  user: string | undefined,
  base: SpecContext['base'],
  paths: PrefixPaths,
): Readonly<Record<string, string>> {
  if (service.container !== undefined) return {}
  return user === undefined ? base : { ...base, HOME: paths.shared, USER: user, LOGNAME: user }
}

/** The digest of the image that the release was published with; undefined when it has none. Errors: RECORD_INVALID. */
function releaseImage(paths: PrefixPaths, version: string): string | undefined {
  const record = parseReleaseRecord(readFile(releasePaths(paths, version).record))
  return record.components[0]?.artifacts.find(artifact => artifact.kind === 'oci')?.digest
}

/** The folders that a release reaches through links in `shared/`: those of its role. */
export function mountedFolders(
  { role }: Pick<ServedRelease, 'role'>,
  { paths, identity }: Pick<SpecContext, 'paths' | 'identity'>,
): readonly string[] {
  return roleMounts({ paths, identity, role }).flatMap(({ link, folder }) => (link === folder ? [] : [folder]))
}
