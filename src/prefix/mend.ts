import fs from 'node:fs'
import path from 'node:path'
import { stableJson } from '../core/canonical-json.ts'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { writeFiles } from '../payload/extract.ts'
import type { FileEntry, PayloadManifest } from '../payload/manifest.ts'
import { isPayloadFile, type PayloadFile } from '../payload/payload-file.ts'
import type { SegmentSource } from '../payload/source.ts'
import type { TreeDifference } from '../payload/tree-difference.ts'
import { fileDifferences } from '../payload/verify-file.ts'
import { listFiles, makeFolder, removeTree, syncAll, writeFileAtomic } from '../sys/files.ts'
import { besideReleases, type PrefixPaths, releasePaths } from './layout.ts'
import type { LocalRelease } from './local-release.ts'
import { Quarantine } from './quarantine.ts'
import { planReuse } from './reuse.ts'
import type { StagedDocuments } from './stage.ts'

/** What a release is mended with. */
export interface MendOptions {
  readonly version: string
  readonly manifest: PayloadManifest
  /** Of the release, by its last verification. */
  readonly differences: readonly TreeDifference[]
  /** Releases that have files with the same content, the release itself first. */
  readonly locals: readonly LocalRelease[]
  /** Asked for only when something has to be fetched; undefined where nothing may be. */
  readonly source: (() => Promise<SegmentSource>) | undefined
  /** Also take away what nobody put there. */
  readonly removeExtra: boolean
  /** Names this run among those that moved something into quarantine. */
  readonly stamp: string
  readonly signal: AbortSignal
}

/** What mending came to; paths relative to the release. */
export interface MendReport {
  readonly mended: readonly string[]
  /** How many of them other releases share by hard links: those have the damaged ones still. */
  readonly sharedFiles: number
  readonly fetchedFiles: number
  readonly fetchedBytes: number
  /** What was moved away, and where it is now. */
  readonly quarantined: readonly { readonly path: string; readonly place: string }[]
}

/**
 * Put the files, folders and links of the payload back that differ, each as it was signed.
 *
 * A file is made anew beside the release, verified and durable, and renamed over the one that differs: so a process that has the old one
 * open keeps it, whoever opens it next finds the new one, and another release that shares the old one by a hard link is not written to.
 * Pre: the lock is held. Post: what setup has added is left as it is.
 * Crash: each path is as it was or as it is to be; the folder beside the release goes with {@link removeMending}.
 * Errors: those of the source, FILE_IO, FILE_NO_SPACE, the signal's reason.
 */
export async function mendRelease(paths: PrefixPaths, options: MendOptions): Promise<MendReport> {
  const { root } = releasePaths(paths, options.version)
  const differing = new Set(options.differences.filter(each => each.kind !== 'extra').map(each => each.path))
  const entries = options.manifest.files.filter(entry => differing.has(entry.path))
  const scratch = path.join(paths.releases, `${besideReleases.mending}${options.version}`)
  const quarantine = new Quarantine(paths, options)
  removeTree(scratch)
  makeFolder(scratch, { mode: 0o700 })
  try {
    const written = await writeAnew(scratch, entries.filter(isPayloadFile), { ...options, owner: ownerOf(paths) })
    const mended = entries.filter(entry => !isPayloadFile(entry) || written.paths.has(entry.path))
    options.signal.throwIfAborted()
    const placing = new Placing({ root, scratch, quarantine, owner: ownerOf(paths) })
    for (const entry of mended) placing.place(entry)
    const extra = options.removeExtra ? options.differences.filter(each => each.kind === 'extra') : []
    for (const each of extra) placing.takeAway(each.path)
    await placing.finish()
    const { fetchedFiles, fetchedBytes } = written
    const { sharedFiles } = placing
    return {
      mended: mended.map(entry => entry.path),
      ...{ sharedFiles, fetchedFiles, fetchedBytes },
      quarantined: quarantine.moved,
    }
  } finally {
    removeTree(scratch)
  }
}

/** Remove what killed calls of {@link mendRelease} left beside the releases. Pre: the lock is held. */
export function removeMending(paths: PrefixPaths): void {
  const names = listFiles(paths.releases).filter(name => name.startsWith(besideReleases.mending))
  for (const name of names) removeTree(path.join(paths.releases, name))
}

/** Write the documents of a release again, each in one step. Pre: they are those that the journal's digest leads to. */
export function mendDocuments(paths: PrefixPaths, version: string, documents: StagedDocuments): void {
  const { metadata, record, manifest, recipe } = releasePaths(paths, version)
  makeFolder(metadata, { mode: 0o755 })
  writeFileAtomic(record, documents.recordBytes)
  writeFileAtomic(manifest, documents.manifestBytes)
  writeFileAtomic(recipe, stableJson(documents.manifest.recipe))
}

interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Root mends the prefix of another user without taking it over. */
function ownerOf({ root }: PrefixPaths): Owner | undefined {
  const { uid, gid } = fs.statSync(root)
  return process.geteuid!() === 0 && uid !== 0 ? { uid, gid } : undefined
}

interface WrittenFiles {
  readonly paths: ReadonlySet<string>
  readonly fetchedFiles: number
  readonly fetchedBytes: number
}

/** Post: each file is below `scratch` under its path, as the manifest says, and durable; left out is what nobody has. */
async function writeAnew(
  scratch: string,
  files: readonly PayloadFile[],
  options: MendOptions & { readonly owner: Owner | undefined },
): Promise<WrittenFiles> {
  const { manifest, locals, signal } = options
  for (const file of files) makeFolder(path.dirname(path.join(scratch, file.path)))
  const copied = new Set<string>()
  for (const local of locals) {
    const left = { ...manifest, files: files.filter(file => !copied.has(file.path)) }
    for (const each of planReuse(left, [local])) if (copyVerified(each, scratch, manifest)) copied.add(each.file.path)
  }
  const wanted = new Set(files.map(file => file.path).filter(name => !copied.has(name)))
  const source = wanted.size === 0 ? undefined : await options.source?.()
  if (source !== undefined) await writeFiles({ manifest, wanted, source, folder: scratch, signal })
  const written = source === undefined ? copied : new Set(files.map(file => file.path))
  const names = Array.from(written, name => path.join(scratch, name))
  const { owner } = options
  if (owner !== undefined) for (const name of names) fs.lchownSync(name, owner.uid, owner.gid)
  await syncAll(names)
  return {
    paths: written,
    fetchedFiles: source === undefined ? 0 : wanted.size,
    fetchedBytes: source?.fetchedBytes ?? 0,
  }
}

/** Make a copy of its own, whatever the original's mode and owner are. Post: false when the original is not what it should be. */
function copyVerified(
  { file, from }: { readonly file: PayloadFile; readonly from: string },
  scratch: string,
  { sourceDateEpoch }: PayloadManifest,
): boolean {
  const to = path.join(scratch, file.path)
  try {
    if (!fs.lstatSync(from).isFile()) return false
    fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE | fs.constants.COPYFILE_EXCL)
    // The copy is made for the owner of the original.
    fs.chownSync(to, process.geteuid!(), process.getegid!())
    fs.chmodSync(to, file.mode)
    fs.utimesSync(to, sourceDateEpoch, sourceDateEpoch)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR', 'EACCES')) return false
    throw toReleaseError(caught)
  }
  if (fileDifferences(to, file, undefined).length === 0) return true
  fs.unlinkSync(to)
  return false
}

interface PlacingOptions {
  readonly root: string
  readonly scratch: string
  readonly quarantine: Quarantine
  readonly owner: Owner | undefined
}

/** Puts entries in their places, in the order of the manifest: folders before what is in them. */
class Placing {
  readonly #options: PlacingOptions
  readonly #folders = new Set<string>()
  sharedFiles = 0

  constructor(options: PlacingOptions) {
    this.#options = options
  }

  place(entry: FileEntry): void {
    const { root, scratch } = this.#options
    const name = path.join(root, entry.path)
    this.#inFolder(name, () => {
      switch (entry.type) {
        case 'directory':
          return this.#placeFolder(name, entry.path, entry.mode)
        case 'file':
          this.#clear(name, entry.path)
          return fs.renameSync(path.join(scratch, entry.path), name)
        case 'symlink':
          this.#clear(name, entry.path)
          return this.#placeLink(name, entry.linkTarget)
      }
    })
  }

  takeAway(entryPath: string): void {
    const name = path.join(this.#options.root, entryPath)
    this.#inFolder(name, () => this.#options.quarantine.move(name, entryPath))
  }

  /** Post: every name that was changed is durable. */
  async finish(): Promise<void> {
    await syncAll(this.#folders)
  }

  #placeFolder(name: string, entryPath: string, mode: number): void {
    const stat = fs.lstatSync(name, { throwIfNoEntry: false })
    if (stat !== undefined && !stat.isDirectory()) this.#options.quarantine.move(name, entryPath)
    if (stat?.isDirectory() !== true) fs.mkdirSync(name)
    const descriptor = fs.openSync(name, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW)
    try {
      const owner = this.#options.owner ?? { uid: process.geteuid!(), gid: process.getegid!() }
      if (fs.fstatSync(descriptor).uid !== owner.uid) fs.fchownSync(descriptor, owner.uid, owner.gid)
      fs.fchmodSync(descriptor, mode)
    } finally {
      fs.closeSync(descriptor)
    }
    this.#folders.add(name)
  }

  #placeLink(name: string, linkTarget: string): void {
    const { scratch, owner } = this.#options
    const temporary = path.join(scratch, 'link')
    fs.symlinkSync(linkTarget, temporary)
    if (owner !== undefined) fs.lchownSync(temporary, owner.uid, owner.gid)
    fs.renameSync(temporary, name)
  }

  /** A file or link is renamed over; a folder, a pipe or a device is evidence. */
  #clear(name: string, entryPath: string): void {
    const stat = fs.lstatSync(name, { throwIfNoEntry: false })
    if (stat?.isFile() === true && stat.nlink > 1) this.sharedFiles += 1
    if (stat === undefined || stat.isFile() || stat.isSymbolicLink()) return
    this.#options.quarantine.move(name, entryPath)
  }

  /** Change names in a folder that may be closed to its own owner. */
  #inFolder(name: string, change: () => void): void {
    const folder = path.dirname(name)
    try {
      const { mode } = fs.lstatSync(folder)
      const isClosed = (mode & 0o200) === 0
      if (isClosed) fs.chmodSync(folder, (mode & 0o7777) | 0o200)
      try {
        change()
      } finally {
        if (isClosed) fs.chmodSync(folder, mode & 0o7777)
      }
    } catch (caught) {
      throw caught instanceof ReleaseError ? caught : toReleaseError(caught)
    }
    this.#folders.add(folder)
  }
}
