import type { Digest } from '../core/digest.ts'
import type { Lock } from '../sys/lock.ts'

/** What is stored under a key. */
export interface StoredObject {
  readonly sizeBytes: number
  readonly digest: Digest
}

/** Bytes on their way to a target. `open` may be called again after a failure. */
export interface Content extends StoredObject {
  readonly mediaType: string
  readonly open: () => AsyncIterable<Uint8Array>
  /** A key of the same target that already has these bytes. */
  readonly sameAs?: string | undefined
}

/** What a write came to: `linked` shares the bytes of another key, `unchanged` found them in place. */
export type WriteOutcome = 'written' | 'linked' | 'unchanged'

/** A place that a repository can be read from. Keys are relative paths. */
export interface TargetReader {
  /** The place as messages name it. */
  readonly name: string
  /** Tell what a key holds, by its bytes and not by what was once written; undefined when there is nothing. */
  readonly head: (key: string) => Promise<StoredObject | undefined>
  /** Read a whole object. Errors: REPOSITORY_DAMAGED beyond `maxBytes`. */
  readonly get: (key: string, maxBytes: number) => Promise<Buffer | undefined>
  /** List the keys of one folder, sorted, without those of folders below it. */
  readonly list: (folder: string) => Promise<readonly string[]>
}

/** A place that a repository can be published to. Readers never see half an object. */
export interface TargetWriter extends TargetReader {
  /** Store an object that is never changed again. Errors: REPOSITORY_CONFLICT (other bytes are there). */
  readonly putNew: (key: string, content: Content) => Promise<WriteOutcome>
  /** Store an object in the place of the one with the digest `ifMatch` (undefined: of none). Errors: REPOSITORY_CHANGED. */
  readonly replace: (key: string, content: Content, ifMatch: Digest | undefined) => Promise<WriteOutcome>
  /** Make everything written so far durable. */
  readonly sync: () => Promise<void>
  /** Keep other publishers out. Errors: LOCKED with the owner. */
  readonly lock: (command: string) => Promise<Lock>
}
