import type { ReleaseIndex } from '../trust/layout.ts'
import { normalizedProject } from './artifacts.ts'
import { headOf } from './channels.ts'
import type { ApplicationSummary } from './ledger.ts'

/**
 * Sum up an application for the ledger.
 *
 * Packages and projects that were ever its own stay its own, pruned or not: nobody else may take a name that servers have installed.
 */
export function summarise(
  index: ReleaseIndex,
  channels: readonly string[],
  known: { readonly before?: ApplicationSummary | undefined; readonly summary?: string | undefined },
): ApplicationSummary {
  const heads = channels.flatMap(channel => {
    const head = headOf(index, channel)
    return head === undefined ? [] : [[channel, { version: head.version, sourceDateEpoch: head.sourceDateEpoch }]]
  })
  const packages = index.releases.flatMap(({ debs }) => debs.map(deb => deb.package))
  const projects = index.releases
    .filter(({ snapshot }) => !snapshot)
    .flatMap(({ python }) => python.map(({ project }) => normalizedProject(project)))
  return {
    summary: known.summary ?? known.before?.summary ?? '',
    releases: index.releases.length,
    heads: Object.fromEntries(heads),
    packages: sortedOnce([...(known.before?.packages ?? []), ...packages]),
    projects: sortedOnce([...(known.before?.projects ?? []), ...projects]),
  }
}

function sortedOnce(names: readonly string[]): readonly string[] {
  return [...new Set(names)].toSorted()
}
