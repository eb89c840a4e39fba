import type { Digest } from '../core/digest.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import type { ReleaseIndex, RepositoryDescription } from '../trust/layout.ts'
import type { ReadyRelease } from './dist.ts'
import type { ReleaseEvidence } from './evidence.ts'
import type { MetadataChange } from './tuf/metadata.ts'

/**
 * What a publication changes. Everything else, indexes and pages and signatures, follows from the lists of releases before and after.
 */
export interface RepositoryChange {
  /** The lists of releases as they are to be, by application; an application that is not known is added. */
  readonly indexes: ReadonlyMap<string, ReleaseIndex>
  /** A release whose files are published, too; `indexes` lists it. */
  readonly added?: { readonly release: ReadyRelease; readonly evidence: ReleaseEvidence }
  /** The settings as they are to be. */
  readonly description?: RepositoryDescription
  /** Sign all suites of apt anew, for their dates run out. */
  readonly resign?: boolean
  /** Make every index and page anew, as if nothing of them was there. */
  readonly rebuild?: boolean
  /** Records that were read already, by digest: they are not read again. */
  readonly records?: ReadonlyMap<Digest, ReleaseRecord>
  /** Dated states of the suites: one to keep from now on, others to drop. */
  readonly snapshots?: { readonly keep?: string; readonly drop?: readonly string[] }
  /** Keys that nobody follows once the pointers have moved, such as the files of releases that were pruned. */
  readonly obsolete?: readonly string[]
  /** What changes about who signs. */
  readonly authority?: Pick<MetadataChange, 'delegations' | 'root' | 'signedTargets' | 'renewTargets'>
}

/** A change that changes nothing but what time demands: signatures get a new date. */
export const noChange: RepositoryChange = { indexes: new Map() }
