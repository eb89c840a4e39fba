import { ociBlobKey, poolKey } from '../trust/layout.ts'
import type { Location, Mirror, WantedArtifact } from './mirror.ts'

/** Where a copy of a vendor repository is read: a key of it as a location. */
export type LocateKey = (key: string) => Location

/**
 * A copy of a vendor repository: an artifact is in the pool, and a tarball once more among the blobs of images, whose layer it is.
 *
 * Source: trust/layout.ts.
 */
export function copyMirror(name: string, locate: LocateKey): Mirror {
  return { name, locate: wanted => keysOf(wanted).map(locate) }
}

function keysOf({ record, artifact }: WantedArtifact): readonly string[] {
  const pool = poolKey(record.name, record.version, artifact.name)
  return artifact.kind === 'tarball' ? [pool, ociBlobKey(record.name, artifact.digest)] : [pool]
}
