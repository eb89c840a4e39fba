import type { Digest } from '../../core/digest.ts'
import type { ReleaseRecord } from '../../payload/release-record.ts'
import type { RegistryTools } from '../../registry/retry.ts'
import type { RateLimit } from '../../sys/rate-limit.ts'

/**
 * A place that gets a release in that place's own form, beside the vendor repository: a registry of images, a page of releases.
 *
 * What such a place has is found out by asking it: a publication that was killed is run again and converges, without duplicates.
 */
export interface Outlet {
  /** The place as messages name it: never with a password. */
  readonly name: string
  /**
   * Find out before anything is written anywhere whether {@link Outlet.publish} could go wrong for a reason that does not pass.
   *
   * Errors: as `publish`. Nothing is changed.
   */
  readonly check: (release: OutletRelease, tools: OutletTools) => Promise<void>
  /**
   * Bring a release there. The call that makes it visible is the last.
   *
   * Post: what is there reads back as the record says. Errors: REPOSITORY_CONFLICT (the same version with other bytes), those of its kind.
   * Crash: run again, it goes on with what is missing.
   */
  readonly publish: (release: OutletRelease, tools: OutletTools) => Promise<OutletResult>
  /**
   * Say there how releases stand after channels were changed or a release was withdrawn.
   *
   * Pre: `moved` has every release whose standing is another one now. What the place never had is left out. Crash: run again.
   */
  readonly moveChannels: (moved: readonly MovedRelease[], tools: OutletTools) => Promise<OutletResult>
}

/** How a release stands in the channels of its repository. */
export interface Standing {
  /** The channels whose newest release it is. */
  readonly heads: readonly string[]
  /** The channels that have it and offer nothing any more, because it was withdrawn. */
  readonly vacated: readonly string[]
  /** The most stable channel offers it. */
  readonly isStable: boolean
  /** It is the newest that the most stable channel offers. */
  readonly isLatest: boolean
  readonly yanked?: { readonly reason: string }
}

/** A release, and how it stands now. */
export interface MovedRelease {
  readonly record: ReleaseRecord
  readonly standing: Standing
}

/** A release to bring to an outlet, as `cut` left it, every file of it verified. */
export interface OutletRelease extends MovedRelease {
  /** `dist/VERSION`. */
  readonly folder: string
  /** `release.json` as it is signed. */
  readonly recordBytes: Buffer
  /** The signed provenance. */
  readonly envelope?: { readonly name: string; readonly bytes: Buffer }
}

/** What an outlet needs of its surroundings. */
export interface OutletTools extends RegistryTools {
  readonly receipts: OutletReceipts
  /** Told how many bytes of how many have gone. */
  readonly onProgress: (doneBytes: number, totalBytes: number) => void
  readonly bandwidth?: RateLimit | undefined
}

/** What an outlet came to. */
export interface OutletResult {
  /** `skipped`: this release is none for this place, and `message` says why. */
  readonly kind: 'published' | 'unchanged' | 'skipped'
  readonly message: string
  /** Where people see it. */
  readonly url?: string
  readonly sentBytes: number
}

/** What was done at outlets so far. It is only believed where asking again would cost a download. */
export interface OutletReceipts {
  /** Find the last one of an action on a subject. */
  readonly find: (outlet: string, action: string, subject: string) => OutletReceipt | undefined
  readonly add: (receipt: Omit<OutletReceipt, 'schema'>) => void
}

/** One thing that was done at an outlet. */
export interface OutletReceipt {
  readonly schema: 1
  /** {@link Outlet.name} */
  readonly outlet: string
  /** What was done, such as `asset-uploaded`, and to what. */
  readonly action: string
  readonly subject: string
  readonly digest?: Digest
  /** What the place calls it. */
  readonly remoteId?: string
}
