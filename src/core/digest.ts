import { createHash, hash } from 'node:crypto'
import { ReleaseError } from './error.ts'

/** A content digest as every stored document writes it: `sha256:` and 64 lower-case hex digits. */
export type Digest = `sha256:${string}`

const pattern = /^sha256:[0-9a-f]{64}$/

/** Digest bytes that are in memory. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${hash('sha256', bytes, 'hex')}`
}

/** Accept a digest from outside. Errors: DIGEST_INVALID. */
export function parseDigest(text: string): Digest {
  if (!pattern.test(text)) {
    throw new ReleaseError(
      'DIGEST_INVALID',
      `not a digest: ${JSON.stringify(text.slice(0, 80))}, expected sha256: and 64 hex digits`,
    )
  }
  return text as Digest
}

/** Tell whether text is a digest. */
export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && pattern.test(text)
}

/** The hex digits alone, as file names and by-hash folders use them. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length)
}

/** Digest a stream piece by piece, counting its bytes. */
export class Digester {
  #hash = createHash('sha256')
  sizeBytes = 0

  update(bytes: Uint8Array): this {
    this.#hash.update(bytes)
    this.sizeBytes += bytes.byteLength
    return this
  }

  /** End the stream. The object is spent afterwards. */
  digest(): Digest {
    return `sha256:${this.#hash.digest('hex')}`
  }
}
