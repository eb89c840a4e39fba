import path from 'node:path'
import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { manifestJson } from '../payload/manifest.ts'
import { digestFileSync } from '../sys/file-digest.ts'
import { listFiles, makeFolder, removeFile } from '../sys/files.ts'
import type { FileChange, OfferedDelta } from './file-change.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'
import type { StagedDocuments } from './stage.ts'
import type { PlannedDelta } from './staging-plan.ts'

/** Who fetches a delta pack, and for which version. */
export interface PackRequest {
  readonly paths: PrefixPaths
  readonly version: string
  readonly signal: AbortSignal
}

/**
 * Fetch a delta pack, or find it where it was put before; the file.
 *
 * Post: it stays until {@link removePacks}, so that it is not fetched again by who comes after a kill. Errors: those of the fetching, FILE_IO, FILE_NO_SPACE.
 */
export async function fetchPack({ paths, version, signal }: PackRequest, offered: OfferedDelta): Promise<string> {
  const file = path.join(packFolder(paths), `${version}.from-${offered.fromVersion}`)
  makeFolder(packFolder(paths), { mode: 0o700 })
  if (digestFileSync(file)?.digest === offered.digest) return file
  removeFile(file)
  await offered.fetch(file, signal)
  return file
}

/**
 * Fetch a delta pack and write the files that it brings, but for those that are `present`; their paths.
 *
 * Post: when it cannot be had, or does not fit what is on this machine, none are said to be written, and that is told: they are in the segments.
 * Errors: FILE_IO, FILE_NO_SPACE, the signal's reason.
 */
export async function applyPack(
  change: FileChange,
  { manifest, manifestBytes }: StagedDocuments,
  { delta: { offered, local }, present }: { readonly delta: PlannedDelta; readonly present: ReadonlySet<string> },
): Promise<ReadonlySet<string>> {
  const { signal, emit } = change
  try {
    const file = await fetchPack(change, offered)
    const [{ openDelta }, { applyDelta }] = await Promise.all([
      import('../payload/delta/open.ts'),
      import('../payload/delta/apply.ts'),
    ])
    const onProgress = (done: number, total: number) =>
      emit({ kind: 'progress', step: 'fetch', what: 'delta pack applied', unit: 'bytes', done, total })
    const delta = openDelta(file, manifest, digestOf(manifestJson(manifestBytes)))
    const folder = releasePaths(change.paths, change.version).root
    return await applyDelta({ delta, manifest, oldFolder: local.root, folder, present, onProgress, signal })
  } catch (caught) {
    if (signal.aborted || !(caught instanceof ReleaseError) || isOurDisk(caught)) throw caught
    const message = `the delta pack from ${offered.fromVersion} is of no use, files are taken from segments: ${caught.message}`
    emit({ kind: 'warning', code: caught.code, message })
    return new Set()
  }
}

/** Remove the delta packs that are kept. */
export function removePacks(paths: PrefixPaths): void {
  for (const name of listFiles(packFolder(paths))) removeFile(path.join(packFolder(paths), name))
}

/** Tell whether it is this machine that cannot go on. */
export function isOurDisk({ code }: ReleaseError): boolean {
  return code === 'FILE_IO' || code === 'FILE_NO_SPACE'
}

function packFolder(paths: PrefixPaths): string {
  return path.join(paths.cache, 'delta')
}
