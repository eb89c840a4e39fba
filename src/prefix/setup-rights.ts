import fs from 'node:fs'
import path from 'node:path'
import { isErrno, toReleaseError } from '../core/error.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import { type Account, unusedAccount } from '../sys/account.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'

/**
 * Let a user that exists for this alone add files to a staged release, and give all that it made to root at the end.
 *
 * Neither root runs what a release brings, nor the application's user, which could then write to a release. Folders are root's and sticky:
 * files can be added to them, and nothing that is there can be replaced. Without a user of the application the work is done by whoever runs us.
 * Post: nothing in the release belongs to anybody but root or can be written by others; folders have the modes of the manifest.
 * Crash: the release is not whole, and {@link withSetupRights} is called again for it or it is removed.
 */
export async function withSetupRights<T>(
  release: { readonly paths: PrefixPaths; readonly version: string; readonly manifest: PayloadManifest },
  application: Account | undefined,
  work: (account: Account | undefined) => Promise<T>,
): Promise<T> {
  if (application === undefined) return await work(undefined)
  const { root } = releasePaths(release.paths, release.version)
  const folders = foldersOf(root, release.manifest)
  const account = unusedAccount()
  attempt(() => open(folders, account))
  try {
    return await work(account)
  } finally {
    attempt(() => {
      adopt(root, account)
      for (const { folder, mode } of folders) fs.chmodSync(folder, mode)
    })
  }
}

interface Folder {
  readonly folder: string
  readonly mode: number
}

function foldersOf(root: string, manifest: PayloadManifest): readonly Folder[] {
  const below = manifest.files.filter(entry => entry.type === 'directory')
  return [
    { folder: root, mode: 0o755 },
    ...below.map(entry => ({ folder: path.join(root, entry.path), mode: entry.mode })),
  ]
}

function open(folders: readonly Folder[], { gid }: Account): void {
  for (const { folder, mode } of folders) {
    fs.lchownSync(folder, 0, gid)
    fs.chmodSync(folder, mode | 0o1070)
  }
}

/** Give to root whatever is another's, without the bits that would lend root's rights to others. */
function adopt(folder: string, account: Account): void {
  fs.lchownSync(folder, 0, 0)
  for (const { name } of fs.readdirSync(folder, { withFileTypes: true })) {
    const place = path.join(folder, name)
    const found = fs.lstatSync(place)
    if (found.isDirectory() || found.uid !== 0) adoptEntry(place, found, account)
    if (found.isDirectory() && fs.lstatSync(place).isDirectory()) adopt(place, account)
  }
}

function adoptEntry(place: string, found: fs.Stats, account: Account): void {
  if (found.uid !== 0 && found.uid !== account.uid) {
    // A hard link to what is somebody else's, who would lose it to root.
    fs.unlinkSync(place)
    return
  }
  fs.lchownSync(place, 0, 0)
  // Only from now on nobody can put a link in its place.
  const { mode } = fs.lstatSync(place)
  const isLink = (mode & fs.constants.S_IFMT) === fs.constants.S_IFLNK
  if (!isLink && (found.uid !== 0 || found.gid !== 0)) fs.chmodSync(place, mode & 0o755)
}

function attempt(work: () => void): void {
  try {
    work()
  } catch (caught) {
    throw isErrno(caught) ? toReleaseError(caught) : caught
  }
}
