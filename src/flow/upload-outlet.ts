import path from 'node:path'
import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { known } from '../core/step.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import { defaultChannels, withListed } from '../repository/channels.ts'
import { defaultSettings } from '../repository/description.ts'
import type { ReadyRelease } from '../repository/dist.ts'
import { listedRelease } from '../repository/listing.ts'
import { openOutlet } from '../repository/outlets/open.ts'
import type { MovedRelease, OutletRelease, OutletResult, OutletTools } from '../repository/outlets/outlet.ts'
import { openReceipts } from '../repository/outlets/receipts.ts'
import { standingOf } from '../repository/outlets/standing.ts'
import { uploadFolder } from '../repository/plan-folder.ts'
import { readStored } from '../repository/state.ts'
import { delay, systemClock } from '../sys/clock.ts'
import type { RateLimit } from '../sys/rate-limit.ts'
import { poolKey, type ReleaseIndex } from '../trust/layout.ts'
import { emptyIndex } from '../trust/release-index.ts'
import { type PublisherOptions, viewOf } from './publisher.ts'
import type { FlowTools } from './tools.ts'
import type { UploadedPlace } from './upload-report.ts'
import type { RepositoryUpload } from './upload-target.ts'

/** One outlet, and what it is told besides the release. */
export interface OutletUploadOptions extends Pick<PublisherOptions, 'cwd' | 'environment'> {
  readonly place: string
  readonly bandwidth: RateLimit | undefined
  readonly planOnly: boolean
}

/**
 * Bring a release to an outlet. How it stands in the channels is what the repository that it was just published in says by then; where there
 * is none, the release stands alone.
 *
 * Errors: OUTLET_INVALID, those of the outlet. Crash: run again.
 */
export async function uploadToOutlet(
  options: OutletUploadOptions,
  release: ReadyRelease,
  published: RepositoryUpload | undefined,
  tools: FlowTools,
): Promise<UploadedPlace> {
  const { place, cwd, environment, planOnly } = options
  const step = `publish at ${place}`
  const startedMs = tools.clock.elapsedMs()
  tools.emit({ kind: 'step-started', step })
  const outlet = await openOutlet(place, { cwd, environment })
  const ready = await outletRelease(release, published)
  const receiptFile = path.join(uploadFolder(release.folder, place), 'receipt.ndjson')
  const outletTools = outletToolsOf({ receiptFile, step, bandwidth: options.bandwidth }, tools)
  await outlet.check(ready, outletTools)
  const result: OutletResult = planOnly
    ? { kind: 'unchanged', message: 'nothing was written', sentBytes: 0 }
    : await outlet.publish(ready, outletTools)
  tools.emit({ kind: 'step-done', step, durationMs: tools.clock.elapsedMs() - startedMs, summary: result.message })
  return { kind: 'outlet', place: outlet.name, result }
}

/** Tell outlets how releases stand after channels were changed. Errors: those of the outlets. */
export async function moveAtOutlets(
  options: Pick<PublisherOptions, 'cwd' | 'environment'> & { readonly places: readonly string[] },
  moved: readonly MovedRelease[],
  tools: FlowTools,
): Promise<void> {
  for (const place of options.places) {
    const outlet = await openOutlet(place, options)
    const result = await outlet.moveChannels(moved, outletToolsOf({ step: `tell ${place}` }, tools))
    tools.emit({ kind: 'note', message: `${outlet.name}: ${result.message}` })
  }
}

async function outletRelease(release: ReadyRelease, published: RepositoryUpload | undefined): Promise<OutletRelease> {
  const { record, folder, bytes } = release
  const channels = published?.view?.description.channels ?? defaultSettings.channels
  const standing = standingOf(await indexOf(release, published), record.version, channels)
  const envelope = await envelopeOf(published, record)
  return { record, folder, recordBytes: bytes, standing, ...(envelope === undefined ? {} : { envelope }) }
}

/** A run that found the repository done has signed nothing: the envelope is the one that is published. */
async function envelopeOf(
  published: RepositoryUpload | undefined,
  { name, version }: ReleaseRecord,
): Promise<{ readonly name: string; readonly bytes: Buffer } | undefined> {
  if (published === undefined || published.envelope !== undefined) return published?.envelope
  const { releases } = await known(published.view).index(name)
  const provenance = releases.find(listed => listed.version === version)?.provenance
  if (provenance === undefined) return undefined
  const { target } = known(published.publisher)
  const key = poolKey(name, version, provenance.name)
  const bytes = await readStored(target, key, provenance.sizeBytes)
  if (digestOf(bytes) === provenance.digest) return { name: provenance.name, bytes }
  throw new ReleaseError(
    'REPOSITORY_DAMAGED',
    `${key} in ${target.name} is ${digestOf(bytes)}, expected ${provenance.digest}`,
    {
      details: { key },
    },
  )
}

async function indexOf(release: ReadyRelease, published: RepositoryUpload | undefined): Promise<ReleaseIndex> {
  const { record, bytes } = release
  const listed = listedRelease(record, bytes)
  if (published === undefined) {
    return withListed(emptyIndex(record.name), listed, defaultChannels(listed, defaultSettings.channels))
  }
  if (!published.options.planOnly) {
    // Others may have published since: their tags are not to be taken back.
    return (await viewOf(known(published.publisher))).index(record.name)
  }
  const before = await known(published.view).index(record.name)
  return published.isPublished ? before : withListed(before, listed, published.channels ?? [])
}

function outletToolsOf(
  options: { readonly step: string; readonly receiptFile?: string; readonly bandwidth?: RateLimit | undefined },
  tools: FlowTools,
): OutletTools {
  const { step, receiptFile, bandwidth } = options
  return {
    clock: systemClock,
    wait: delay,
    random: Math.random,
    warn: (code, message) => tools.emit({ kind: 'warning', code, message }),
    signal: tools.signal,
    receipts: receiptFile === undefined ? { find: () => undefined, add: () => {} } : openReceipts(receiptFile),
    bandwidth,
    onProgress: (doneBytes, total) =>
      tools.emit({ kind: 'progress', step, what: 'sent', unit: 'bytes', done: doneBytes, total }),
  }
}
