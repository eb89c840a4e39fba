import type { Digest } from '../core/digest.ts'
import type { LocalFile } from '../payload/local-file.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import { isPayloadFile, type PayloadFile } from '../payload/payload-file.ts'
import type { TreeWriter } from '../payload/tree-writer.ts'
import { eachInParallel } from '../sys/parallel.ts'
import type { LocalRelease } from './local-release.ts'

/** A file of the new release and the local file that should have its content. */
export interface ReusableFile {
  readonly file: PayloadFile
  readonly from: string
  /** Nobody needs it where it is, and it is wanted in no other place. */
  readonly isLeftover: boolean
}

/** Find for each file of a manifest a local one with the same digest. Pure. The first release that has it is taken. */
export function planReuse(manifest: PayloadManifest, locals: readonly LocalRelease[]): readonly ReusableFile[] {
  const files = manifest.files.filter(isPayloadFile)
  const found = new Map<PayloadFile, ReusableFile>()
  let missing: readonly PayloadFile[] = files
  for (const local of locals) {
    if (missing.length === 0) break
    const pathOf = pathsByDigest(local.manifest)
    // One file cannot be moved to several places.
    const wantedOften = local.isLeftover === true ? repeatedDigests(missing) : undefined
    missing = missing.filter(file => {
      const name = pathOf.get(file.digest)
      if (name === undefined) return true
      found.set(file, { file, from: `${local.root}/${name}`, isLeftover: wantedOften?.has(file.digest) === false })
      return false
    })
  }
  return files.flatMap(file => found.get(file) ?? [])
}

function pathsByDigest(manifest: PayloadManifest | undefined): ReadonlyMap<Digest, string> {
  const paths = new Map<Digest, string>()
  for (const entry of manifest?.files ?? []) if (entry.type === 'file') paths.set(entry.digest, entry.path)
  return paths
}

function repeatedDigests(files: readonly PayloadFile[]): ReadonlySet<Digest> {
  const [once, often] = [new Set<Digest>(), new Set<Digest>()]
  for (const { digest } of files) (once.has(digest) ? often : once).add(digest)
  return often
}

/** Who the files of a release belong to, as far as that decides how they are shared. */
export interface Ownership {
  /** We are root, and the services run as somebody else, who can write to no file of a release. */
  readonly isGuarded: boolean
}

/**
 * Choose how each reused file gets to its place.
 *
 * Releases share a file by hard links only where nobody but root can write to it: a service that wrote to a file of its release would change
 * both. A linked file keeps the time of the release that first brought it; Python would hold the compiled form of a module beside it for
 * outdated, so where a release ships such, modules are copied.
 */
export function chooseWays(
  reusable: readonly ReusableFile[],
  { files }: PayloadManifest,
  { isGuarded }: Ownership,
): readonly LocalFile[] {
  const shipsCompiled = files.some(({ path: name }) => name.endsWith('.pyc'))
  const isLinked = ({ file }: ReusableFile) =>
    isGuarded && (file.mode & writableByOthers) === 0 && !(shipsCompiled && file.path.endsWith('.py'))
  return reusable.map(reused => ({
    file: reused.file,
    from: reused.from,
    way: reused.isLeftover ? 'move' : isLinked(reused) ? 'link' : 'copy',
  }))
}

const writableByOthers = 0o022

/** What is given to the writer at once: enough to be worth a message, little enough for both threads to end together. */
const batch = { files: 256, sizeBytes: 8 * 1024 * 1024 }

/**
 * Put files that are here already in their places, verifying every digest on the way.
 *
 * Post: the paths of those that could not be: the local file is gone or has another content. Pre: their folders are there.
 * Errors: FILE_IO, FILE_NO_SPACE, the signal's reason.
 */
export async function placeFiles(
  writer: Pick<TreeWriter, 'place'>,
  files: readonly LocalFile[],
  options: { readonly onProgress?: (doneFiles: number) => void; readonly signal?: AbortSignal } = {},
): Promise<ReadonlySet<string>> {
  const missed = new Set<string>()
  let doneFiles = 0
  await eachInParallel(inBatches(files), { parallelism: 2, stop: () => {} }, async some => {
    options.signal?.throwIfAborted()
    for (const name of await writer.place(some)) missed.add(name)
    doneFiles += some.length
    options.onProgress?.(doneFiles)
  })
  return missed
}

function inBatches(files: readonly LocalFile[]): readonly (readonly LocalFile[])[] {
  const batches: LocalFile[][] = []
  let room = { files: 0, sizeBytes: 0 }
  for (const local of files) {
    if (room.files <= 0 || room.sizeBytes <= 0) {
      batches.push([])
      room = { ...batch }
    }
    batches.at(-1)!.push(local)
    room.files -= 1
    room.sizeBytes -= local.file.sizeBytes
  }
  return batches
}
