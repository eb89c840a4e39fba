import { ReleaseError } from '../core/error.ts'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { formatBytes } from '../core/quantity.ts'
import { known, runSteps, type Step } from '../core/step.ts'
import { newestCut, type ReadyRelease, readCut } from '../repository/dist.ts'
import { isOutlet } from '../repository/outlets/place.ts'
import { RateLimit } from '../sys/rate-limit.ts'
import { attemptsAt, failuresText, type PlaceFailure } from './each-place.ts'
import { type Clone, distFolderOf, findClone, type PublisherOptions, parsePlace } from './publisher.ts'
import type { FlowTools } from './tools.ts'
import { announceUpload, assertUploadAnnounceable } from './upload-announce.ts'
import { uploadToOutlet } from './upload-outlet.ts'
import { reportUpload, type UploadCounts, type UploadedPlace } from './upload-report.ts'
import { readUploadSettings, type UploadSettings } from './upload-settings.ts'
import { assertTagged } from './upload-tag.ts'
import { type RepositoryUpload, repositoryStepNames, uploadToRepository } from './upload-target.ts'

/** What to publish, and where. */
export interface UploadOptions extends PublisherOptions {
  /** The newest release in `dist` when absent. */
  readonly version?: string | undefined
  /** Where releases were cut to; `dist` in the clone when absent. */
  readonly distFolder?: string | undefined
  /** The git remote that the tag is pushed to, when the clone has it. */
  readonly remote: string
  /** Only show what would be written. */
  readonly planOnly: boolean
  /** Places in the place of those of the recipe and the clone: repositories and outlets. */
  readonly to?: readonly string[] | undefined
  /** Offer the release in this channel and the less stable ones only. */
  readonly channel?: string | undefined
  /** How long to wait for another publisher to end. */
  readonly waitMs?: number | undefined
  /** For all transfers together. */
  readonly bytesPerSecond?: number | undefined
}

interface UploadState {
  readonly options: UploadOptions
  readonly tools: FlowTools
  clone?: Clone | undefined
  release?: ReadyRelease
  settings?: UploadSettings
  /** The first repository that has the release now. */
  published?: RepositoryUpload
}

const preparation: readonly Step<UploadState, unknown>[] = [
  // Nothing is published that is not exactly what was cut.
  { name: 'read the release', required: true, run: readRelease },
  // A tag means that the release passed everything; snapshots have none.
  { name: 'check the tag', required: false, run: checkTag },
  // What is wrong with them is told before anything is published.
  { name: 'read the settings', required: true, run: readSettings },
]

/**
 * Publish a release: in a vendor repository, or several, and at outlets such as a registry or a page of releases.
 *
 * Shape: one place after the other, each with a plan and receipts of its own in `dist/VERSION/upload`; one that fails leaves the others usable.
 * Post: readers of a place saw the state before or the one after, and `result` is an UploadResult (upload-report.ts). Crash: run again, it goes on.
 * Errors: those of its steps; UPLOAD_PARTIAL when some of several places failed.
 */
export async function upload(options: UploadOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const state: UploadState = { options, tools }
  const steps = [...preparation.map(step => step.name), ...repositoryStepNames(options.planOnly)]
  tools.emit({ kind: 'run-started', command: 'upload', subject: options.version ?? 'the newest release', steps })
  await runSteps(preparation, state, { emit: tools.emit, nowMs: tools.clock.elapsedMs })
  const places = await uploadEverywhere(state)
  if (!options.planOnly && places.some(isNews)) await tell(state, places)
  const durationMs = tools.clock.elapsedMs() - startedMs
  reportUpload({ record: known(state.release).record, places, planOnly: options.planOnly, durationMs }, tools.emit)
}

/** Bring the release to one place after the other, repositories first: what they say of channels is what outlets are told, so these wait for one. */
async function uploadEverywhere(state: UploadState): Promise<readonly UploadedPlace[]> {
  const { targets } = known(state.settings)
  const bytesPerSecond = state.options.bytesPerSecond ?? known(state.settings).bytesPerSecond
  const bandwidth = bytesPerSecond === undefined ? undefined : new RateLimit(bytesPerSecond)
  const outlets = targets.filter(isOutlet)
  const repositories: readonly (string | undefined)[] =
    targets.length === 0 ? [undefined] : targets.filter(place => !isOutlet(place))
  const uploaded: UploadedPlace[] = []
  const { failures, attempt } = attemptsAt(repositories.length + outlets.length, state.tools)
  for (const place of repositories) {
    await attempt(place ?? 'the repository', async () => {
      const upload = repositoryUpload(state, place, bandwidth)
      await uploadToRepository(upload)
      state.published ??= upload
      const { publisher, plan, counts } = upload
      uploaded.push({ kind: 'repository', place: known(publisher).place, plan, counts })
    })
  }
  for (const place of outlets) {
    await attempt(place, async () => {
      if (repositories.length > 0) assertPublished(state, place)
      const options = { ...state.options, place, bandwidth }
      uploaded.push(await uploadToOutlet(options, known(state.release), state.published, state.tools))
    })
  }
  if (failures.length > 0) throw partialError(known(state.release), uploaded, failures)
  return uploaded
}

function repositoryUpload(
  { options, tools, clone, release }: UploadState,
  place: string | undefined,
  bandwidth: RateLimit | undefined,
): RepositoryUpload {
  const counts: UploadCounts = { written: 0, linked: 0, unchanged: 0, writtenBytes: 0 }
  return { options, tools, clone, release: known(release), place, bandwidth, counts }
}

/** Where no repository says how it stands, a release would stand as the newest everywhere, and take the tags of those that are newer. */
function assertPublished({ published, release }: UploadState, place: string): void {
  if (published !== undefined) return
  const { name, version } = known(release).record
  throw new ReleaseError(
    'OUTLET_SKIPPED',
    `no repository has ${name} ${version}, which says how it stands in the channels`,
    { details: { place, application: name, version } },
  )
}

function partialError(
  { record }: ReadyRelease,
  uploaded: readonly UploadedPlace[],
  failures: readonly PlaceFailure[],
): ReleaseError {
  return new ReleaseError(
    'UPLOAD_PARTIAL',
    `${record.name} ${record.version} is not published at ${failuresText(failures)}; it is at ${uploaded.map(({ place }) => place).join(', ') || 'no other place'}`,
    {
      cause: failures[0]?.error,
      details: {
        failed: failures.map(({ place }) => place),
        published: uploaded.map(({ place }) => place),
      },
    },
  )
}

/** Whoever was told once is not told again by a run that found everything done. */
function isNews(place: UploadedPlace): boolean {
  return place.kind === 'repository' ? place.plan !== undefined : place.result.kind === 'published'
}

async function tell({ options, settings, release, published, tools }: UploadState, places: readonly UploadedPlace[]) {
  const channels = published?.channels ?? []
  const { environment } = options
  await announceUpload({ settings: known(settings), environment }, { release: known(release), channels, places }, tools)
}

async function readSettings(state: UploadState): Promise<Outcome<string>> {
  const { cwd, environment, to, repository } = state.options
  const named = to === undefined ? undefined : [...new Set(to.map(place => parsePlace(place, cwd)))]
  const settings = await readUploadSettings(cwd, state.clone)
  assertUploadAnnounceable({ settings, environment })
  // A repository that is named stands for all places of the recipe.
  const targets = named ?? (repository === undefined ? settings.targets : [])
  state.settings = { ...settings, targets }
  return done(targets.length === 0 ? 'the repository' : targets.join(', '))
}

async function readRelease(state: UploadState): Promise<Outcome<string>> {
  const { options, tools } = state
  state.clone = await findClone(options, tools)
  const distFolder = distFolderOf(options, state.clone)
  const version = options.version ?? newestCut(distFolder)
  state.release = await readCut(distFolder, version, (what, doneCount, total) => {
    tools.signal.throwIfAborted()
    tools.emit({ kind: 'progress', step: 'read the release', what, unit: 'files', done: doneCount, total })
  })
  const sizeBytes = state.release.files.reduce((sum, file) => sum + file.sizeBytes, 0)
  return done(`${state.release.record.name} ${version}, ${state.release.files.length} files, ${formatBytes(sizeBytes)}`)
}

async function checkTag(state: UploadState): Promise<Outcome<string>> {
  const { record } = known(state.release)
  if (record.tag === undefined) return skipped('SNAPSHOT', `${record.version} is a snapshot, which has no tag`)
  if (state.clone === undefined) {
    throw new ReleaseError('SOURCE_NOT_GIT', `${state.options.cwd} is not in the repository that has ${record.tag}`)
  }
  await assertTagged(state.clone, record, record.tag)
  return done(record.tag)
}
