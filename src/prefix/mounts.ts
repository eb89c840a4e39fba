import fs from 'node:fs'
import path from 'node:path'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import type { Account } from '../sys/account.ts'
import { makeFolder, readLinkIfExists, replaceSymlink } from '../sys/files.ts'
import type { PrefixIdentity } from './identity.ts'
import type { PrefixPaths } from './layout.ts'
import type { PrefixRole } from './role.ts'
import { sitePaths } from './site.ts'

/** What the folders of a role depend on. */
export interface MountRequest {
  readonly paths: PrefixPaths
  readonly identity: Pick<PrefixIdentity, 'slot'>
  readonly role: PrefixRole | undefined
  /** Whom they belong to; undefined where that is whoever runs us. */
  readonly account: Account | undefined
}

/** A folder of a role, and where a release finds it. Both absolute; the same where the prefix is no slot. */
export interface RoleMount {
  readonly link: string
  readonly folder: string
}

/** Name the folders of the role that a prefix has. Pure. */
export function roleMounts({ paths, identity, role }: Omit<MountRequest, 'account'>): readonly RoleMount[] {
  return Object.entries(role?.recipe?.mounts ?? {}).map(([name, folder]) => {
    const link = path.join(paths.shared, name)
    const { slot } = identity
    return { link, folder: slot === undefined ? link : path.join(sitePaths(slot.site).shared, folder) }
  })
}

/**
 * Lead `shared/NAME` of a prefix to the folders of its role, and make those that are not there yet.
 *
 * Pre: nothing of the release runs, or it has the role already. Post: each link was read back; the names of those that led elsewhere.
 * Errors: ROLE_MOUNT_TAKEN, FILE_IO. Crash: each link leads to the one folder or the other; run again.
 */
export function arrangeMounts(request: MountRequest): readonly string[] {
  const { paths, identity, account } = request
  const { slot } = identity
  const parent = slot === undefined ? paths.shared : sitePaths(slot.site).shared
  const mounts = roleMounts(request)
  if (mounts.length > 0) makeParent(parent, account)
  return mounts.flatMap(mount => {
    makeOwn(mount.folder, account)
    if (mount.link === mount.folder || readMount(mount) === mount.folder) return []
    replaceSymlink(mount.link, mount.folder)
    assertLeads(mount)
    return [path.basename(mount.link)]
  })
}

/** Where a link leads now; undefined when there is none. An empty folder is no obstacle. Errors: ROLE_MOUNT_TAKEN. */
function readMount({ link, folder }: RoleMount): string | undefined {
  const stat = fs.lstatSync(link, { throwIfNoEntry: false })
  if (stat?.isSymbolicLink()) return readLinkIfExists(link)
  if (stat === undefined) return undefined
  try {
    fs.rmdirSync(link)
    return undefined
  } catch (caught) {
    if (!isErrno(caught, 'ENOTEMPTY', 'EEXIST', 'ENOTDIR')) throw toReleaseError(caught)
    throw new ReleaseError('ROLE_MOUNT_TAKEN', `${link} is not empty, expected a link to ${folder}`, {
      hint: `stop the slot and run rmdir ${folder} && mv ${link} ${folder}`,
      details: { path: link, folder },
      cause: caught,
    })
  }
}

/** Read a link back, and that it leads somewhere. Errors: ROLE_MOUNT_TAKEN. */
function assertLeads({ link, folder }: RoleMount): void {
  const found = readLinkIfExists(link)
  if (found === folder && fs.statSync(link, { throwIfNoEntry: false })?.isDirectory() === true) return
  throw new ReleaseError('ROLE_MOUNT_TAKEN', `${link} leads to ${found ?? 'nothing'}, expected the folder ${folder}`, {
    details: { path: link, found, folder },
  })
}

/** What stands in it is trusted, so it stays root's; the account may pass. */
function makeParent(folder: string, account: Account | undefined): void {
  makeFolder(folder, { mode: 0o750 })
  if (account !== undefined) attempt(() => fs.chownSync(folder, 0, account.gid))
}

function makeOwn(folder: string, account: Account | undefined): void {
  makeFolder(folder, { mode: 0o750 })
  attempt(() => {
    const stat = fs.lstatSync(folder)
    if (account !== undefined && stat.isDirectory() && stat.uid === 0) fs.chownSync(folder, account.uid, account.gid)
  })
}

function attempt(work: () => void): void {
  try {
    work()
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
