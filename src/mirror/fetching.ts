import type { ReleaseError } from '../core/error.ts'
import type { Environment } from '../registry/credentials.ts'

/** How the files of releases are fetched. */
export interface Fetching {
  /** Asked before the repository itself, in the forms that {@link parsePlace} reads. */
  readonly mirrors?: readonly string[] | undefined
  /** `listed`: in their order. `fastest`: the one that answers first is asked first. */
  readonly mirrorOrder?: 'listed' | 'fastest' | undefined
  /** What all fetching together may take. */
  readonly bytesPerSecond?: number | undefined
  /** A server that sends less than this for half a minute is given up. */
  readonly leastBytesPerSecond?: number | undefined
  /** Where what was fetched in part is kept for the next run; where it is absent, the next run begins anew. */
  readonly cacheFolder?: string | undefined
  /** Where credentials for object stores, registries and GitHub are looked for. */
  readonly environment?: Environment | undefined
  /** Told of each place that is given up, with why. A mirror that sent wrong bytes is told with SEGMENT_DIGEST, and not asked again. */
  readonly onFailure?: ((place: string, error: ReleaseError) => void) | undefined
  /** Told what is not as it should be, such as credentials that others may read. */
  readonly onWarning?: ((code: string, message: string) => void) | undefined
}
