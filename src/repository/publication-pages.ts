import { digestOf } from '../core/digest.ts'
import type { ListedRelease, ReleaseIndex } from '../trust/layout.ts'
import type { Document } from './document.ts'
import { readEvidence } from './evidence.ts'
import { releasePage } from './pages/keys.ts'
import { renderRelease } from './pages/release.ts'
import type { Work } from './work.ts'

/** Make the page of every release that is another one now, or stands in other channels. Errors: REPOSITORY_DAMAGED, EVIDENCE_INVALID. */
export async function makePages({
  view,
  change,
  changes,
  description,
  recordOf,
  isRebuild,
  tools,
}: Work): Promise<readonly Document[]> {
  const rootFingerprint = digestOf(tools.rootBytes)
  const pages: Document[] = []
  for (const { before, after } of changes) {
    const [was, is] = [standings(before), standings(after)]
    for (const listed of after.releases) {
      if (!isRebuild && was.get(listed.version) === is.get(listed.version)) continue
      const record = await recordOf(after.application, listed)
      const isAdded = change.added?.release.digest === listed.record.digest
      const evidence = isAdded ? change.added.evidence : await readEvidence(view.target, record, listed)
      pages.push(renderRelease(description, record, { evidence, index: after, rootFingerprint }))
    }
  }
  return pages
}

/** Everything that a release's page says and its record does not, by version. */
function standings({ releases, channels }: ReleaseIndex): ReadonlyMap<string, string> {
  const offeredIn = new Map<string, string[]>()
  for (const [channel, versions] of Object.entries(channels)) {
    for (const version of versions) offeredIn.set(version, [...(offeredIn.get(version) ?? []), channel])
  }
  return new Map(
    releases.map(listed => [listed.version, JSON.stringify([listed, offeredIn.get(listed.version)?.toSorted()])]),
  )
}

/** The pages of releases that are no longer listed. */
export function withdrawnPages({ changes }: Work): readonly string[] {
  return changes.flatMap(({ before, after }) => {
    const staying = new Set(after.releases.map(({ version }) => version))
    return before.releases
      .filter((listed: ListedRelease) => !staying.has(listed.version))
      .map(({ version }) => releasePage(after.application, version))
  })
}
