import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import { digestFileSync } from '../sys/file-digest.ts'
import { listFiles, makeFolder, removeFile } from '../sys/files.ts'
import type { FileChange } from './file-change.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'
import type { PlannedDelta } from './staging-plan.ts'

/** What a delta pack came to. Units: bytes that were fetched. */
export interface Patched {
  /** The paths of the files that it brought. */
  readonly files: ReadonlySet<string>
  readonly fetchedBytes: number
}

/**
 * Fetch a delta pack and write the files that it brings, but for those that are `present`.
 *
 * Post: when it cannot be had, or does not fit what is on this machine, no file is said to be written, and that is told: they are in the segments.
 * A pack that came whole stays in the cache until {@link removePacks}, so that it is not fetched again by who comes after a kill.
 * Errors: FILE_IO, FILE_NO_SPACE, the signal's reason.
 */
export async function applyPack(
  change: FileChange,
  manifest: PayloadManifest,
  { delta: { offered, local }, present }: { readonly delta: PlannedDelta; readonly present: ReadonlySet<string> },
): Promise<Patched> {
  const { paths, version, signal, emit } = change
  const file = path.join(packFolder(paths), `${version}.from-${offered.fromVersion}`)
  let fetchedBytes = 0
  try {
    makeFolder(packFolder(paths), { mode: 0o700 })
    if (digestFileSync(file)?.digest !== offered.digest) {
      removeFile(file)
      fetchedBytes = await offered.fetch(file, signal)
    }
    const [{ openDelta }, { applyDelta }] = await Promise.all([
      import('../payload/delta/open.ts'),
      import('../payload/delta/apply.ts'),
    ])
    const onProgress = (done: number, total: number) =>
      emit({ kind: 'progress', step: 'fetch', what: 'delta pack applied', unit: 'bytes', done, total })
    const delta = openDelta(file, manifest)
    const folder = releasePaths(paths, version).root
    const files = await applyDelta({ delta, manifest, oldFolder: local.root, folder, present, onProgress, signal })
    return { files, fetchedBytes }
  } catch (caught) {
    if (signal.aborted || !(caught instanceof ReleaseError) || isOurDisk(caught)) throw caught
    const message = `the delta pack from ${offered.fromVersion} is of no use, files are taken from segments: ${caught.message}`
    emit({ kind: 'warning', code: caught.code, message })
    return { files: new Set(), fetchedBytes }
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
