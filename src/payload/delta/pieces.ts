import { type BaseRange, dictionaryBytes, pieceBytes } from './format.ts'
import type { DeltaPlan } from './plan.ts'

/** Up to this size files share a piece: what they have in common is then written once, and each costs less in the index. */
const sharedPieceBytes = 1024 * 1024

/** A piece that is to be compressed: stretches of new files, and of bases. */
export interface PlannedPiece {
  readonly content: readonly { readonly file: number; readonly offset: number; readonly sizeBytes: number }[]
  readonly contentSizeBytes: number
  readonly dictionary: readonly BaseRange[]
}

/**
 * Cut the content of the files into pieces. Small files share one; a large file is cut, each part with regions of its base.
 *
 * `regionsOf` says for a file and a base longer than a dictionary which regions belong to each of the file's parts.
 */
export async function* planPieces(
  { files, bases }: DeltaPlan,
  regionsOf: (file: number, base: number) => Promise<readonly (readonly BaseRange[])[]>,
): AsyncGenerator<PlannedPiece> {
  let shared = new SharedPiece()
  for (const [index, { file, base }] of files.entries()) {
    const baseBytes = base === undefined ? 0 : bases[base]!.sizeBytes
    if (file.sizeBytes <= pieceBytes && baseBytes <= dictionaryBytes) {
      if (!shared.hasRoom(file.sizeBytes, base, baseBytes)) {
        yield shared
        shared = new SharedPiece()
      }
      shared.add(index, file.sizeBytes, base, baseBytes)
      continue
    }
    if (shared.contentSizeBytes > 0) yield shared
    shared = new SharedPiece()
    const regions = baseBytes > dictionaryBytes ? await regionsOf(index, base!) : []
    const whole = base === undefined ? [] : [{ base, offset: 0, sizeBytes: baseBytes }]
    for (let offset = 0, part = 0; offset < file.sizeBytes; offset += pieceBytes, part += 1) {
      const sizeBytes = Math.min(pieceBytes, file.sizeBytes - offset)
      const content = [{ file: index, offset, sizeBytes }]
      yield { content, contentSizeBytes: sizeBytes, dictionary: regions[part] ?? whole }
    }
  }
  if (shared.contentSizeBytes > 0) yield shared
}

class SharedPiece implements PlannedPiece {
  readonly content: { readonly file: number; readonly offset: number; readonly sizeBytes: number }[] = []
  readonly dictionary: BaseRange[] = []
  contentSizeBytes = 0
  #dictionarySizeBytes = 0

  hasRoom(sizeBytes: number, base: number | undefined, baseBytes: number): boolean {
    if (this.contentSizeBytes === 0) return true
    if (this.contentSizeBytes + sizeBytes > sharedPieceBytes) return false
    return this.#has(base) || this.#dictionarySizeBytes + baseBytes <= dictionaryBytes
  }

  add(file: number, sizeBytes: number, base: number | undefined, baseBytes: number): void {
    if (sizeBytes === 0) return
    this.content.push({ file, offset: 0, sizeBytes })
    this.contentSizeBytes += sizeBytes
    if (base === undefined || baseBytes === 0 || this.#has(base)) return
    this.dictionary.push({ base, offset: 0, sizeBytes: baseBytes })
    this.#dictionarySizeBytes += baseBytes
  }

  #has(base: number | undefined): boolean {
    return this.dictionary.some(range => range.base === base)
  }
}
