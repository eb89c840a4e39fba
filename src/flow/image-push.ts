import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { formatBytes } from '../core/quantity.ts'
import { known, runSteps, type Step } from '../core/step.ts'
import type { Artifact, ReleaseRecord } from '../payload/release-record.ts'
import { isLayout, readLayout } from '../registry/layout.ts'
import { type PushReport, pushImage } from '../registry/push.ts'
import { parseReference, parseTag, type Reference, renderReference } from '../registry/reference.ts'
import { newestCut, readCutRecord } from '../repository/dist.ts'
import { ociFolder } from '../trust/layout.ts'
import { describeTransfer, type RegistryOptions, registryTools, tellBytes } from './image-registry.ts'
import { distFolderOf, findClone } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** Which image to push, and where. */
export interface ImagePushOptions extends RegistryOptions {
  /** The newest release in `dist` when absent. */
  readonly version?: string | undefined
  /** Whose image, in a release with several; that of the application when absent. */
  readonly component?: string | undefined
  /** Where releases were cut to; `dist` in the clone when absent. */
  readonly distFolder?: string | undefined
  /** The folder of a vendor repository to push from: it also has the signed provenance. `dist` when absent. */
  readonly repository?: string | undefined
  /** `HOST/NAME[:TAG]`. */
  readonly reference: string
  /** Further tags; the version when there is none at all. */
  readonly tags: readonly string[]
}

/** What the event `run-done` of a push tells programs. */
export interface ImagePushResult extends PushReport {
  readonly version: string
  /** The image by its digest, as it is to be named where it is run. */
  readonly reference: string
  readonly tags: readonly string[]
}

type OciArtifact = Artifact & { readonly kind: 'oci' }

interface PushState {
  readonly options: ImagePushOptions
  readonly tools: FlowTools
  readonly wanted: Reference
  image?: { readonly version: string; readonly folder: string; readonly artifact: OciArtifact }
  tags?: readonly string[]
  report?: PushReport
}

const steps: readonly Step<PushState, unknown>[] = [
  // What is pushed is what the record names, whatever else lies in the folder.
  { name: 'read the release', required: true, run: readRelease },
  // Blobs, manifests, the tags, then what refers to the image.
  { name: 'push the image', required: false, run: push },
]

/**
 * Push the image of a release to a registry.
 *
 * Post: the tags name the image, and `result` is an {@link ImagePushResult}. Crash: run again, it sends what is missing.
 * Errors: REFERENCE_INVALID, RELEASE_NOT_CUT, RELEASE_DAMAGED, IMAGE_UNSUPPORTED (no image in the release), those of {@link pushImage}.
 */
export async function imagePush(options: ImagePushOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const wanted = parseReference(options.reference)
  if (wanted.digest !== undefined) {
    throw new ReleaseError('REFERENCE_INVALID', `${options.reference} names a digest, which a push finds out`, {
      hint: 'leave out what is behind the @',
      details: { reference: options.reference },
    })
  }
  const state: PushState = { options, tools, wanted }
  const subject = `${options.version ?? 'the newest release'} to ${renderReference(wanted)}`
  tools.emit({ kind: 'run-started', command: 'image push', subject, steps: steps.map(step => step.name) })
  await runSteps(steps, state, { emit: tools.emit, nowMs: tools.clock.elapsedMs })
  const [{ version }, report, tags] = [known(state.image), known(state.report), known(state.tags)]
  const { registry, repository } = wanted
  const reference = renderReference({ registry, repository, digest: report.digest })
  const result: ImagePushResult = { ...report, version, reference, tags }
  tools.emit(table(report))
  tools.emit({
    kind: 'run-done',
    command: 'image push',
    changed: !report.isUnchanged,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: report.isUnchanged
      ? `nothing was sent: ${reference} is there, as ${tags.join(', ')}`
      : `pushed ${reference} as ${tags.join(', ')}`,
    result,
  })
}

async function readRelease(state: PushState): Promise<Outcome<string>> {
  const { options, tools, wanted } = state
  const distFolder = distFolderOf(options, await findClone(options, tools))
  const version = options.version ?? newestCut(distFolder)
  const record = readCutRecord(distFolder, version)
  const artifact = imageOf(record, options.component)
  const cutFolder = path.join(distFolder, version, artifact.name)
  const folder = options.repository === undefined ? cutFolder : publishedFolder(options.repository, record, artifact)
  state.image = { version, folder, artifact }
  // Build metadata of a version is set off by a sign that tags may not have.
  const named = [...(wanted.tag === undefined ? [] : [wanted.tag]), ...options.tags.map(parseTag)]
  state.tags = [...new Set(named.length === 0 ? [parseTag(version.replaceAll('+', '_'))] : named)]
  return done(`${artifact.name}, ${artifact.digest}`)
}

function imageOf(record: ReleaseRecord, component: string | undefined): OciArtifact {
  const found =
    component === undefined ? record.components[0] : record.components.find(({ name }) => name === component)
  const artifact = found?.artifacts.find(candidate => candidate.kind === 'oci')
  if (artifact !== undefined) return artifact
  const others = record.components.filter(({ artifacts }) => artifacts.some(({ kind }) => kind === 'oci'))
  const names = others.map(({ name }) => name)
  const whose = component ?? record.components[0]?.name ?? record.name
  throw new ReleaseError('IMAGE_UNSUPPORTED', `release ${record.version} has no image of ${whose}`, {
    hint:
      names.length === 0
        ? 'add artifacts.oci to the recipe and cut the next release'
        : `name one of these with --component: ${names.join(', ')}`,
    details: { version: record.version, component: whose, images: names },
  })
}

/** The image layout of an application in a vendor repository. What is in it is named by the record's digest all the same. */
function publishedFolder(repository: string, { name, version }: ReleaseRecord, artifact: OciArtifact): string {
  const folder = path.join(repository, ...ociFolder(name).split('/'))
  if (isLayout(folder) && readLayout(folder).some(({ digest }) => digest === artifact.digest)) return folder
  throw new ReleaseError('RELEASE_UNKNOWN', `${repository} has no image ${artifact.digest} of ${name} ${version}`, {
    hint: `run \`release upload ${version}\` first, or leave out --repository`,
    details: { path: folder, application: name, version },
  })
}

async function push(state: PushState): Promise<Outcome<string>> {
  const { options, tools, wanted } = state
  const { folder, artifact } = known(state.image)
  const startedMs = tools.clock.elapsedMs()
  const { registry, repository } = wanted
  const report = await pushImage(
    {
      folder,
      digest: artifact.digest,
      name: { registry, repository },
      tags: known(state.tags),
      plainHttp: options.plainHttp,
      environment: options.environment,
      onProgress: tellBytes(tools, 'push the image', 'pushing'),
    },
    registryTools(tools),
  )
  state.report = report
  if (report.isUnchanged) return skipped('UNCHANGED', 'the registry has all of it')
  const sentBytes = sum(report, 'sent')
  const sent = describeTransfer(sentBytes, tools.clock.elapsedMs() - startedMs)
  return done(
    sentBytes === 0
      ? `all blobs were there, ${report.sentManifests} manifests not`
      : `sent ${sent}${takenOver(report)}`,
  )
}

function takenOver(report: PushReport): string {
  const mountedBytes = sum(report, 'mounted')
  const presentBytes = sum(report, 'present')
  const mounted = mountedBytes === 0 ? '' : `, ${formatBytes(mountedBytes)} taken over from the base image`
  return `${mounted}${presentBytes === 0 ? '' : `, ${formatBytes(presentBytes)} were there`}`
}

function sum({ blobs }: PushReport, outcome: PushReport['blobs'][number]['outcome']): number {
  return blobs.reduce((total, blob) => total + (blob.outcome === outcome ? blob.sizeBytes : 0), 0)
}

function table(report: PushReport) {
  return {
    kind: 'table',
    title: 'Blobs',
    columns: ['Blob', 'Size', 'Type', 'Outcome'],
    rows: report.blobs.map(({ digest, sizeBytes, mediaType, outcome }) => [
      digest.slice(0, 'sha256:'.length + 12),
      formatBytes(sizeBytes),
      mediaType,
      outcome,
    ]),
  } as const
}
