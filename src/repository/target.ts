import type { Digest } from '../core/digest.ts'

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
  /** Told how many bytes have gone so far. */
  readonly onBytes?: ((doneBytes: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** What a write came to: `linked` shares the bytes of another key, `unchanged` found them in place. */
export type WriteOutcome = 'written' | 'linked' | 'unchanged'

/** A place that a repository can be read from. Keys are relative paths. */
export interface TargetReader {
  /** The place as messages name it: never with a password or a query. */
  readonly name: string
  /** Tell what a key holds, by its bytes and not by what was once written; undefined when there is nothing. */
  readonly head: (key: string) => Promise<StoredObject | undefined>
  /** Read a whole object. Errors: REPOSITORY_DAMAGED beyond `maxBytes`. */
  readonly get: (key: string, maxBytes: number) => Promise<Buffer | undefined>
  /** Read an object piece by piece. Errors (on reading): REPOSITORY_DAMAGED when there is nothing. */
  readonly read: (key: string, signal?: AbortSignal) => AsyncIterable<Uint8Array>
}

/** A place that a repository can be published to. Readers never see half an object. */
export interface TargetWriter extends TargetReader {
  /** How many objects are worth writing at once. */
  readonly parallelism: number
  /** Store an object that is never changed again. Errors: REPOSITORY_CONFLICT (other bytes are there). */
  readonly putNew: (key: string, content: Content) => Promise<WriteOutcome>
  /** Store an object in the place of the one with the digest `ifMatch` (undefined: of none). Errors: REPOSITORY_CHANGED. */
  readonly replace: (key: string, content: Content, ifMatch: Digest | undefined) => Promise<WriteOutcome>
  /** Remove an object; nothing there is as good. */
  readonly remove: (key: string) => Promise<void>
  /** Make everything written so far durable. */
  readonly sync: () => Promise<void>
  /** Keep other publishers out. Errors: LOCKED with the owner, after `waitMs`. */
  readonly lease: (command: string, options: LeaseOptions) => Promise<Lease>
}

/** How long to wait for another publisher. */
export interface LeaseOptions {
  readonly waitMs: number
  readonly signal?: AbortSignal
}

/** The right to move pointers. It ends when given back, and by itself some time after its holder died. */
export interface Lease {
  /** Check before a pointer moves that it was not lost. Errors: REPOSITORY_CHANGED. */
  readonly assertHeld: () => void
  readonly release: () => Promise<void>
}
