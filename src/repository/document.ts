import { type Digest, digestOf } from '../core/digest.ts'

/** The order in which a publication becomes visible; each phase is durable before the next begins. */
export const phases = ['blobs', 'indexes', 'metadata', 'pointer'] as const
/** One of {@link phases}. */
export type Phase = (typeof phases)[number]

/**
 * A file that publishing makes itself, in memory.
 *
 * Shape: `immutable` ones are stored once under a name that no reader knows yet; the others take the place of the file before.
 */
export interface Document {
  readonly phase: Phase
  readonly key: string
  readonly bytes: Buffer
  readonly mediaType: string
  readonly immutable: boolean
}

/** Make a document that is never changed again. */
export function immutable(phase: 'indexes' | 'metadata', key: string, bytes: Buffer, mediaType: string): Document {
  return { phase, key, bytes, mediaType, immutable: true }
}

/** Make a document that takes the place of the one before. */
export function pointer(key: string, bytes: Buffer | string, mediaType: string): Document {
  return {
    phase: 'pointer',
    key,
    bytes: Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes),
    mediaType,
    immutable: false,
  }
}

const digests = new WeakMap<Buffer, Digest>()

/** The digest of a document's bytes, which is found once however many names the bytes have. */
export function digestOfDocument({ bytes }: Pick<Document, 'bytes'>): Digest {
  const digest = digests.get(bytes) ?? digestOf(bytes)
  digests.set(bytes, digest)
  return digest
}
