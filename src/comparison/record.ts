import type { ReleaseRecord } from '../payload/release-record.ts'
import { type ComparisonContext, type Differences, firstOf, type Pair } from './difference.ts'
import { compareJson } from './json.ts'

/** What it means when a field of the record differs. */
const reasons: Readonly<Record<string, string>> = {
  toolVersion: 'another version of Cutover: use the one that cut the release',
  recipeDigest: 'another recipe: name the one that was used with --recipe',
  tree: 'version files or changelog were edited in another way',
}

/** Compare two release records. What is in the artifacts is compared there, and follows from them here. */
export function compareRecords(records: Pair<ReleaseRecord>, { consequences }: ComparisonContext): Differences {
  const stripped = { released: withoutContents(records.released), rebuilt: withoutContents(records.rebuilt) }
  const differences = compareJson({ ...stripped, consequences })
  return firstOf(differences.map(difference => ({ ...difference, why: reasons[difference.where] ?? difference.why })))
}

/** Leave out what the digest of an artifact stands for. */
function withoutContents({ components, ...record }: ReleaseRecord): unknown {
  return {
    ...record,
    components: components.map(({ name, artifacts }) => ({
      name,
      artifacts: artifacts.map(({ name, kind, digest, sizeBytes, mediaType }) => ({
        name,
        kind,
        digest,
        sizeBytes,
        mediaType,
      })),
    })),
  }
}
