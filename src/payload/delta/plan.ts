import type { Digest } from '../../core/digest.ts'
import type { PayloadManifest } from '../manifest.ts'
import { isPayloadFile, type PayloadFile } from '../payload-file.ts'
import type { DeltaBase, DeltaIndex } from './format.ts'
import { GoneFiles } from './gone-files.ts'

/** A file whose content a delta pack brings. */
export interface DeltaFile {
  readonly file: PayloadFile
  /** The place of what it is compressed against in the list of bases. */
  readonly base: number | undefined
}

/** What a delta pack between two releases consists of. */
export interface DeltaPlan {
  readonly bases: readonly (DeltaBase & { readonly file: PayloadFile })[]
  readonly copies: DeltaIndex['copies']
  readonly files: readonly DeltaFile[]
}

/**
 * Compare two manifests: what is copied, what is compressed against what.
 *
 * A file whose content is in the earlier release under another path is a copy. Any other is compressed against the file of its
 * path, or else against one that is gone, has the same name or a name alike in the same folder, and lies nearest by path and size.
 */
export function planDelta(old: PayloadManifest, next: PayloadManifest): DeltaPlan {
  const oldFiles = old.files.filter(isPayloadFile)
  const byPath = new Map(oldFiles.map(file => [file.path, file]))
  const byDigest = new Map<Digest, PayloadFile>()
  for (const file of oldFiles) if (!byDigest.has(file.digest)) byDigest.set(file.digest, file)
  const kept = new Set(next.files.map(entry => entry.path))
  const gone = new GoneFiles(oldFiles.filter(file => !kept.has(file.path) && file.sizeBytes > 0))
  const bases = new Bases()
  const copies: { readonly path: string; readonly base: number }[] = []
  const files: DeltaFile[] = []
  for (const file of next.files.filter(isPayloadFile)) {
    const before = byPath.get(file.path)
    if (before?.digest === file.digest) continue
    const same = byDigest.get(file.digest)
    if (same !== undefined) copies.push({ path: file.path, base: bases.add(same) })
    else files.push({ file, base: bases.addAny(likeliest(file, before, gone)) })
  }
  return { bases: bases.list, copies, files }
}

/** Find what a file's content most likely comes from. What is empty has nothing to compress against. */
function likeliest(file: PayloadFile, before: PayloadFile | undefined, gone: GoneFiles): PayloadFile | undefined {
  if (file.sizeBytes === 0) return undefined
  return before === undefined || before.sizeBytes === 0 ? gone.nearest(file) : before
}

/** The bases of a plan, each once, numbered as they are needed. */
class Bases {
  readonly list: (DeltaBase & { readonly file: PayloadFile })[] = []
  readonly #numbers = new Map<string, number>()

  add(file: PayloadFile): number {
    const known = this.#numbers.get(file.path)
    if (known !== undefined) return known
    const { path, sizeBytes, digest } = file
    this.#numbers.set(path, this.list.length)
    return this.list.push({ path, sizeBytes, digest, file }) - 1
  }

  addAny(file: PayloadFile | undefined): number | undefined {
    return file === undefined ? undefined : this.add(file)
  }
}
