import fs from 'node:fs'
import path from 'node:path'
import { stableJson } from '../core/canonical-json.ts'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import { listFiles, removeTree, syncFileSystem, syncFolder, writeFileAtomic } from '../sys/files.ts'
import { recordAdditions } from './additions.ts'
import { currentVersion } from './installed.ts'
import { besideReleases, type PrefixPaths, releasePaths } from './layout.ts'
import { type LocalRelease, openLeftover } from './local-release.ts'

/** What a release is staged from. */
export interface StagedDocuments {
  /** The signed record, byte for byte. */
  readonly recordBytes: Uint8Array
  /** The manifest as it was fetched: with the digest that the record states. */
  readonly manifestBytes: Uint8Array
  readonly manifest: PayloadManifest
}

/** Names at the top of a release that are ours. */
const ownNames: ReadonlySet<string> = new Set(['.cutover', 'venv'])

/** Tell whether a path of an installed release is of our making: metadata and virtualenv. */
export function isOwnPath(relativePath: string): boolean {
  return ownNames.has(relativePath.split('/')[0]!)
}

/**
 * Mark a release as one that is not whole, and take what a killed run left of it out of the way: see {@link leftovers}.
 *
 * Errors: PREFIX_DAMAGED (it is the active release), MANIFEST_INVALID (a path of the payload is one of ours), FILE_IO, FILE_NO_SPACE.
 * Crash: the marker stays, and with it the folder counts for nothing.
 */
export function markRelease(paths: PrefixPaths, version: string, manifest: PayloadManifest): void {
  const release = releasePaths(paths, version)
  if (currentVersion(paths) === version) {
    throw new ReleaseError('PREFIX_DAMAGED', `${release.root} is active and not whole`, {
      hint: 'install another version, then this one again',
      details: { path: release.root, version },
    })
  }
  const taken = manifest.files.find(entry => isOwnPath(entry.path))
  if (taken !== undefined) {
    throw new ReleaseError('MANIFEST_INVALID', `the payload holds ${taken.path}, which is a place of cutover`, {
      hint: 'the recipe must not ship .cutover or venv at the top of the payload',
      details: { path: taken.path, version },
    })
  }
  attempt(() => {
    fs.mkdirSync(paths.releases, { recursive: true })
    const { O_CREAT, O_WRONLY, O_NOFOLLOW } = fs.constants
    fs.closeSync(fs.openSync(release.incomplete, O_CREAT | O_WRONLY | O_NOFOLLOW, 0o644))
    syncFolder(paths.releases)
    setAside(paths, version)
  })
}

/** Make the folder of a release at its final path, with the documents that it is made from. Pre: {@link markRelease}. Errors: FILE_IO, FILE_NO_SPACE. */
export function beginRelease(paths: PrefixPaths, version: string, documents: StagedDocuments): void {
  const release = releasePaths(paths, version)
  attempt(() => {
    for (const folder of [release.root, release.metadata]) {
      fs.mkdirSync(folder)
      // Whatever the umask is: services of another user are started from here.
      fs.chmodSync(folder, 0o755)
    }
  })
  const write = (file: string, bytes: Uint8Array | string) => {
    writeFileAtomic(file, bytes, { durable: false })
    fs.chmodSync(file, 0o644)
  }
  write(release.record, documents.recordBytes)
  write(release.manifest, documents.manifestBytes)
  write(release.recipe, stableJson(documents.manifest.recipe))
}

/**
 * Keep what was staged of a release that is not whole, for the next staging to take from.
 *
 * Post: nothing of it counts as a release. Crash: the marker or the journal say that the rest is to be done.
 */
export function setReleaseAside(paths: PrefixPaths, version: string): void {
  attempt(() => {
    setAside(paths, version)
    fs.rmSync(releasePaths(paths, version).incomplete, { force: true })
  })
}

/** List what was set aside, as releases that files are taken from. */
export function leftovers(paths: PrefixPaths): readonly LocalRelease[] {
  const folder = leftoverFolder(paths)
  return listFiles(folder).map(name => openLeftover(path.join(folder, name)))
}

/** Remove what was set aside. */
export function removeLeftovers(paths: PrefixPaths): void {
  removeTree(leftoverFolder(paths))
}

function setAside(paths: PrefixPaths, version: string): void {
  const { root } = releasePaths(paths, version)
  if (!fs.existsSync(root)) return
  const folder = leftoverFolder(paths)
  // What belonged to a release that is not whole is nobody's business.
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
  const numbers = fs.readdirSync(folder).map(Number).filter(Number.isSafeInteger)
  fs.renameSync(root, path.join(folder, String(Math.max(0, ...numbers) + 1)))
}

function leftoverFolder(paths: PrefixPaths): string {
  return path.join(paths.releases, besideReleases.leftover)
}

/**
 * Remove a release that is not active. Post: durable, for the journal says next that it is gone.
 *
 * Crash: the record goes first, and without it nothing takes the rest for a release: neither may the journal have got room to say so.
 */
export function discardRelease(paths: PrefixPaths, version: string): void {
  const release = releasePaths(paths, version)
  attempt(() => {
    fs.rmSync(release.record, { force: true })
    if (fs.existsSync(release.metadata)) syncFolder(release.metadata)
  })
  removeTree(release.root)
  attempt(() => {
    fs.rmSync(release.incomplete, { force: true })
    syncFolder(paths.releases)
  })
}

/**
 * Make a staged release whole: everything of it durable, then the marker gone.
 *
 * Pre: every file was verified when it was written. Here only what setup may have done to them since is looked for: types, sizes
 * and modes. Errors: RELEASE_CHANGED naming the first path, FILE_IO.
 */
export async function sealRelease(
  paths: PrefixPaths,
  version: string,
  { manifest, node }: { readonly manifest: PayloadManifest; readonly node: Pick<NodeRecipe, 'runtime' | 'setup'> },
): Promise<void> {
  const release = releasePaths(paths, version)
  const { runtime, setup } = node
  recordAdditions(release, manifest, setup.length > 0 || runtime.kind === 'python' ? 'everywhere' : 'metadata')
  // While the system writes, which is another process's work.
  await Promise.all([syncFileSystem(release.root), assertUnchanged(release.root, version, manifest)])
  attempt(() => {
    fs.rmSync(release.incomplete, { force: true })
    syncFolder(paths.releases)
  })
}

async function assertUnchanged(root: string, version: string, manifest: PayloadManifest): Promise<void> {
  const changed = manifest.files.find(entry => !hasShape(`${root}/${entry.path}`, entry))
  if (changed === undefined) return
  throw new ReleaseError('RELEASE_CHANGED', `${changed.path} of ${version} is not as it was written`, {
    hint: 'setup commands may add files to a release, not change those of the payload: correct the recipe',
    details: { path: changed.path, version },
  })
}

function hasShape(name: string, entry: PayloadManifest['files'][number]): boolean {
  const stat = fs.lstatSync(name, { throwIfNoEntry: false })
  if (stat === undefined) return false
  if (entry.type === 'symlink') return stat.isSymbolicLink()
  if ((stat.mode & 0o7777) !== entry.mode) return false
  return entry.type === 'directory' ? stat.isDirectory() : stat.isFile() && stat.size === entry.sizeBytes
}

function attempt<T>(operation: () => T): T {
  try {
    return operation()
  } catch (caught) {
    throw isErrno(caught) ? toReleaseError(caught) : caught
  }
}
