import { compareVersions, isPreRelease } from '../core/version.ts'
import { channelsOf } from '../repository/channels.ts'
import { cutVersions } from '../repository/dist.ts'
import type { ApplicationSummary } from '../repository/ledger.ts'
import { applicationsOf, type RepositoryView } from '../repository/state.ts'
import type { ListedRelease, ReleaseIndex } from '../trust/layout.ts'
import { assertKnown } from './chosen-application.ts'
import { distFolderOf, findClone, openPublisher, type PublisherOptions, viewOf } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** What to list. */
export interface RepositoryListOptions extends PublisherOptions {
  /** Only this application. */
  readonly application?: string | undefined
  /** Where releases were cut to; `dist` in the clone when absent. */
  readonly distFolder?: string | undefined
}

/** A release as the list shows it. */
export interface ListedAs {
  readonly application: string
  readonly version: string
  readonly kind: 'release' | 'pre-release' | 'snapshot'
  /** Those that have it, least stable first; none offers it when it is yanked. */
  readonly channels: readonly string[]
  /** Why it was withdrawn. */
  readonly yanked?: string
  readonly held: boolean
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number
  readonly commit: string
  /** The forms that it can be had in, besides the tarball. */
  readonly forms: readonly string[]
}

/** What `release list` tells. */
export interface ListResult {
  /** By application: the version that each channel offers. */
  readonly heads: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Newest first, by application. */
  readonly releases: readonly ListedAs[]
  /** Cut, and not published. */
  readonly unpublished: readonly string[]
}

/** List channels and releases, newest first, and those in `dist` that are not published. Errors: RELEASE_UNKNOWN (no such application), those of opening a repository. */
export async function listRepository(options: RepositoryListOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const clone = await findClone(options, tools)
  const publisher = await openPublisher(options, clone)
  const view = await viewOf(publisher)
  const known = applicationsOf(view)
  if (options.application !== undefined) assertKnown(options.application, known)
  const applications = options.application === undefined ? known : [options.application]
  const listed = await listReleases(view, applications)
  const published = new Set(listed.releases.map(({ version }) => version))
  const unpublished = cutVersions(distFolderOf(options, clone))
    .filter(version => !published.has(version))
    .toSorted(compareVersions)
  const result: ListResult = { ...listed, unpublished }
  tellReleases(result, { place: publisher.place, channels: view.description.channels }, tools)
  const also = unpublished.length === 0 ? '' : `; cut and not published: ${unpublished.join(', ')}`
  tools.emit({
    kind: 'run-done',
    command: 'list',
    changed: false,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `published releases: ${result.releases.length}${also}`,
    result,
  })
}

async function listReleases(
  view: RepositoryView,
  applications: readonly string[],
): Promise<Pick<ListResult, 'heads' | 'releases'>> {
  const { channels } = view.description
  const heads: Record<string, Readonly<Record<string, string>>> = {}
  const releases: ListedAs[] = []
  for (const application of applications) {
    const summary = view.ledger.applications[application]
    if (summary !== undefined) heads[application] = headVersions(summary)
    const index = await view.index(application)
    releases.push(...index.releases.toReversed().map(release => listedAs(index, release, channels)))
  }
  return { heads, releases }
}

function headVersions({ heads }: ApplicationSummary): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(heads).map(([channel, { version }]) => [channel, version]))
}

function listedAs(index: ReleaseIndex, release: ListedRelease, channels: readonly string[]): ListedAs {
  const { version, commit, sourceDateEpoch, yanked, held = false } = release
  const having = channelsOf(index, version)
  const forms = { deb: release.debs, oci: release.images, python: release.python }
  return {
    application: index.application,
    version,
    kind: release.snapshot ? 'snapshot' : isPreRelease(version) ? 'pre-release' : 'release',
    channels: [...channels.filter(each => having.includes(each)), ...having.filter(each => !channels.includes(each))],
    ...(yanked === undefined ? {} : { yanked: yanked.reason }),
    held,
    sourceDateEpoch,
    commit,
    forms: Object.entries(forms).flatMap(([form, files]) => (files.length === 0 ? [] : [form])),
  }
}

function tellReleases(
  { heads, releases }: ListResult,
  { place, channels }: { readonly place: string; readonly channels: readonly string[] },
  { emit }: FlowTools,
): void {
  emit({
    kind: 'table',
    title: `Channels of ${place}`,
    columns: ['Application', ...channels],
    rows: Object.entries(heads).map(([application, versions]) => [
      application,
      ...channels.map(channel => versions[channel] ?? '-'),
    ]),
  })
  emit({
    kind: 'table',
    title: 'Releases',
    columns: ['Application', 'Version', 'Kind', 'Channels', 'Date', 'Commit', 'Forms', 'Notes'],
    rows: releases.map(release => [
      release.application,
      release.version,
      release.kind,
      release.channels.join(' '),
      new Date(release.sourceDateEpoch * 1000).toISOString().slice(0, 10),
      release.commit.slice(0, 12),
      release.forms.join(' '),
      notesOf(release),
    ]),
  })
}

function notesOf({ yanked, held }: ListedAs): string {
  return [...(yanked === undefined ? [] : [`yanked: ${yanked}`]), ...(held ? ['held'] : [])].join(', ')
}
