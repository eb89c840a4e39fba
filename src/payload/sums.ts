import { createHash, type Hash, hash } from 'node:crypto'
import { type Digest, Digester, digestOf } from '../core/digest.ts'

/**
 * Digests of the files whose content ends in one segment, in order.
 *
 * Shape: two lists rather than one of objects, for they go from thread to thread. `md5s` is empty when nobody asked for them: they are
 * for the `md5sums` of a Debian package, where they tell people of accidents; nothing of ours trusts them.
 */
export interface FileSums {
  readonly digests: readonly Digest[]
  readonly md5s: readonly string[]
}

/** Tell whether text is an MD5 sum. */
export function isMd5(text: unknown): text is string {
  return typeof text === 'string' && /^[0-9a-f]{32}$/.test(text)
}

/** What a segment has in which no file ends. */
export const noSums: FileSums = { digests: [], md5s: [] }

/** Digest files that are in memory. */
export function sumsOf(contents: readonly Uint8Array[], withMd5: boolean): FileSums {
  return { digests: contents.map(digestOf), md5s: withMd5 ? contents.map(bytes => hash('md5', bytes, 'hex')) : [] }
}

/** Digest one file piece by piece. */
export class FileDigester {
  readonly #digester = new Digester()
  readonly #md5: Hash | undefined

  constructor(withMd5: boolean) {
    this.#md5 = withMd5 ? createHash('md5') : undefined
  }

  get sizeBytes(): number {
    return this.#digester.sizeBytes
  }

  update(bytes: Uint8Array): void {
    this.#digester.update(bytes)
    this.#md5?.update(bytes)
  }

  /** End the file. The object is spent afterwards. */
  finish(): FileSums {
    return { digests: [this.#digester.digest()], md5s: this.#md5 === undefined ? [] : [this.#md5.digest('hex')] }
  }
}
