import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { eachInParallel } from '../sys/parallel.ts'
import type { ListedRelease, ReleaseIndex } from '../trust/layout.ts'
import type { Document } from './document.ts'
import { readEvidence } from './evidence.ts'
import { releasePage } from './pages/keys.ts'
import { renderRelease } from './pages/release.ts'
import type { Work } from './work.ts'

/** What a page is made of is asked for in a few short requests. */
const pagesAtOnce = 16

/** A release whose page is made anew. */
interface Shown {
  readonly listed: ListedRelease
  readonly index: ReleaseIndex
  /** It is another one now, or stands in other channels; else only what every page says is another. */
  readonly isChanged: boolean
}

/** Make the page of every release that says something else now. Errors: REPOSITORY_DAMAGED, EVIDENCE_INVALID. */
export async function makePages(work: Work): Promise<readonly Document[]> {
  const { shown, isRebuild, isOtherSite } = work
  const releases = shown.flatMap(({ before, after: index }) => {
    const [was, is] = [standings(before), standings(index)]
    return index.releases
      .map(listed => ({ listed, index, isChanged: isRebuild || was.get(listed.version) !== is.get(listed.version) }))
      .filter(({ isChanged }) => isChanged || isOtherSite)
  })
  const pages = new Map<Shown, Document>()
  await eachInParallel(releases, { parallelism: pagesAtOnce, stop: () => {} }, async release => {
    const page = await makePage(work, release)
    if (page !== undefined) pages.set(release, page)
  })
  return releases.flatMap(release => pages.get(release) ?? [])
}

async function makePage(
  { view, change, description, recordOf, tools }: Work,
  { listed, index, isChanged }: Shown,
): Promise<Document | undefined> {
  try {
    const record = await recordOf(index.application, listed)
    const isAdded = change.added?.release.digest === listed.record.digest
    const evidence = isAdded ? change.added.evidence : await readEvidence(view.target, record, listed)
    return renderRelease(description, record, { evidence, index, rootFingerprint: digestOf(tools.rootBytes) })
  } catch (caught) {
    // Damage is for `release reindex` to tell: it must not keep the root of a stolen key in place.
    if (isChanged || !isDamage(caught)) throw caught
    return undefined
  }
}

function isDamage(caught: unknown): boolean {
  return caught instanceof ReleaseError && ['REPOSITORY_DAMAGED', 'EVIDENCE_INVALID'].includes(caught.code)
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
