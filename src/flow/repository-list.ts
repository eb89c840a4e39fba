import { ReleaseError } from '../core/error.ts'
import { compareVersions, isPreRelease } from '../core/version.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import type { Catalogue } from '../repository/catalogue.ts'
import { cutVersions } from '../repository/dist.ts'
import { readRepository } from '../repository/state.ts'
import { distFolderOf, findClone, openPublisher, type PublisherOptions } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** What to list. */
export interface RepositoryListOptions extends PublisherOptions {
  /** Only this application. */
  readonly application?: string | undefined
  /** Where releases were cut to; `dist` in the clone when absent. */
  readonly distFolder?: string | undefined
}

/** A release as the list shows it. */
export interface PublishedRelease {
  readonly application: string
  readonly version: string
  readonly kind: 'release' | 'pre-release' | 'snapshot'
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number
  readonly commit: string
  readonly artifacts: readonly string[]
}

/** List the published releases, newest first, and those in `dist` that are not. Errors: RELEASE_UNKNOWN (no such application), those of opening a repository. */
export async function listRepository(options: RepositoryListOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const clone = await findClone(options, tools)
  const publisher = await openPublisher(options, clone)
  const { catalogue } = await readRepository(publisher.target, publisher.trustedRoot)
  if (options.application !== undefined) assertKnown(catalogue, options.application, publisher.folder)
  const releases = catalogue.applications
    .filter(entry => options.application === undefined || entry.name === options.application)
    .flatMap(entry => entry.releases.toReversed().map(listed))
  const published = new Set(releases.map(release => release.version))
  const unpublished = cutVersions(distFolderOf(options, clone))
    .filter(version => !published.has(version))
    .toSorted(compareVersions)
  tools.emit({
    kind: 'table',
    title: `Releases in ${publisher.folder}`,
    columns: ['Application', 'Version', 'Kind', 'Date', 'Commit', 'Files'],
    rows: releases.map(release => [
      release.application,
      release.version,
      release.kind,
      new Date(release.sourceDateEpoch * 1000).toISOString().slice(0, 10),
      release.commit.slice(0, 12),
      release.artifacts.join(' '),
    ]),
  })
  const also = unpublished.length === 0 ? '' : `; cut and not published: ${unpublished.join(', ')}`
  tools.emit({
    kind: 'run-done',
    command: 'list',
    changed: false,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `published releases: ${releases.length}${also}`,
    result: { releases, unpublished },
  })
}

function assertKnown(catalogue: Catalogue, application: string, folder: string): void {
  const known = catalogue.applications.map(entry => entry.name)
  if (known.includes(application)) return
  throw new ReleaseError('RELEASE_UNKNOWN', `${folder} has no application ${application}`, {
    hint: known.length === 0 ? 'nothing is published there yet' : `choose one of ${known.join(', ')}`,
    details: { application, known },
  })
}

function listed(record: ReleaseRecord): PublishedRelease {
  return {
    application: record.name,
    version: record.version,
    kind: record.tag === undefined ? 'snapshot' : isPreRelease(record.version) ? 'pre-release' : 'release',
    sourceDateEpoch: record.sourceDateEpoch,
    commit: record.commit,
    artifacts: record.components.flatMap(component => component.artifacts).map(artifact => artifact.kind),
  }
}
