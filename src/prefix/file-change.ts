import type { Digest } from '../core/digest.ts'
import type { Emit } from '../core/event.ts'
import type { SegmentSource } from '../payload/source.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import type { PrefixIdentity } from './identity.ts'
import type { PrefixPaths } from './layout.ts'
import type { LocalRelease } from './local-release.ts'
import type { StagedDocuments } from './stage.ts'

/** A delta pack that leads to a release: who has the release it starts from can have it fetched. */
export interface OfferedDelta {
  readonly fromVersion: string
  /** The digest of that release's manifest as canonical JSON. */
  readonly fromManifest: Digest
  readonly sizeBytes: number
  readonly digest: Digest
  /**
   * Fetch it into a file that is not there yet. Post: the file has the digest of the release record; returns how many bytes came.
   * Errors: SEGMENT_MISSING, SEGMENT_SHORT, SEGMENT_DIGEST, HTTP_FAILED, FILE_IO, FILE_NO_SPACE, the signal's reason.
   */
  readonly fetch: (file: string, signal: AbortSignal) => Promise<number>
}

/** What the files of a release come from. */
export interface ReleaseOrigin {
  readonly documents: StagedDocuments
  readonly source: SegmentSource
  /** Delta packs of the release, from whatever version. */
  readonly deltas: readonly OfferedDelta[]
  /** Releases on this machine that files are taken from, in this order. */
  readonly locals: readonly LocalRelease[]
}

/** What the operations on files work on. */
export interface FileChange {
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  readonly version: string
  readonly from: string | undefined
  readonly recipe: () => InstalledRecipe
  /** Undefined where nothing is staged: a rollback, a recovery. */
  readonly origin: ReleaseOrigin | undefined
  readonly emit: Emit
  readonly signal: AbortSignal
}
