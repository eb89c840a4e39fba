import type { Emit, Event } from '../core/event.ts'
import { formatBytes } from '../core/quantity.ts'
import type { OutletResult } from '../repository/outlets/outlet.ts'
import type { PublishPlan } from '../repository/plan.ts'
import type { WriteOutcome } from '../repository/target.ts'

/** What an upload came to; the `result` of its last event. The counts are those of all repositories together. */
export interface UploadResult {
  readonly application: string
  readonly version: string
  /** The first repository; absent when the release only went to outlets. */
  readonly repository?: string
  readonly written: number
  readonly linked: number
  readonly unchanged: number
  readonly writtenBytes: number
  readonly places: readonly PlaceResult[]
}

/** What became of one place. */
export interface PlaceResult {
  readonly place: string
  readonly kind: 'published' | 'unchanged' | 'skipped'
  readonly url?: string
}

/** Operations by what became of them, and the bytes of those that were written. */
export type UploadCounts = Record<WriteOutcome, number> & { writtenBytes: number }

/** A place that has the release now. `plan` is absent when it had it before. */
export type UploadedPlace =
  | {
      readonly kind: 'repository'
      readonly place: string
      readonly plan: PublishPlan | undefined
      readonly counts: Readonly<UploadCounts>
    }
  | { readonly kind: 'outlet'; readonly place: string; readonly result: OutletResult }

/** An upload that ended. */
export interface EndedUpload {
  readonly record: { readonly name: string; readonly version: string }
  readonly places: readonly UploadedPlace[]
  readonly planOnly: boolean
  readonly durationMs: number
}

/** Tell how an upload ended: its tables, then `run-done` with an {@link UploadResult}. */
export function reportUpload(ended: EndedUpload, emit: Emit): void {
  const { record, places, planOnly, durationMs } = ended
  for (const place of places) {
    if (place.kind === 'repository' && place.plan !== undefined) {
      emit(planOnly ? operationTable(place.plan) : phaseTable(place.plan))
    }
  }
  if (places.length > 1) emit(placeTable(ended))
  const counts = totals(places)
  const repository = places.find(({ kind }) => kind === 'repository')?.place
  const result: UploadResult = {
    application: record.name,
    version: record.version,
    ...(repository === undefined ? {} : { repository }),
    ...counts,
    places: places.map(placeResult),
  }
  const isPublished = result.places.some(({ kind }) => kind === 'published')
  emit({
    kind: 'run-done',
    command: 'upload',
    changed: !planOnly && isPublished,
    durationMs,
    message: summary(ended, counts),
    result,
  })
}

function placeResult(place: UploadedPlace): PlaceResult {
  if (place.kind === 'repository')
    return { place: place.place, kind: place.plan === undefined ? 'unchanged' : 'published' }
  const { kind, url } = place.result
  return { place: place.place, kind, ...(url === undefined ? {} : { url }) }
}

function totals(places: readonly UploadedPlace[]): UploadCounts {
  const sum: UploadCounts = { written: 0, linked: 0, unchanged: 0, writtenBytes: 0 }
  for (const place of places) {
    if (place.kind === 'outlet') sum.writtenBytes += place.result.sentBytes
    else for (const key of ['written', 'linked', 'unchanged', 'writtenBytes'] as const) sum[key] += place.counts[key]
  }
  return sum
}

function summary({ record, places, planOnly }: EndedUpload, counts: UploadCounts): string {
  const release = `${record.name} ${record.version}`
  const names = places.map(({ place }) => place).join(', ')
  if (places.every(place => placeResult(place).kind === 'unchanged' && !planOnly))
    return `${release} is already published in ${names}`
  if (planOnly) return `${release} would be published in ${names}; nothing was written`
  return `${release} is published in ${names}, ${formatBytes(counts.writtenBytes)} written`
}

function placeTable({ places }: EndedUpload): Event {
  return {
    kind: 'table',
    title: 'Places',
    columns: ['Place', 'What', 'Where'],
    rows: places.map(place => {
      const { kind, url = '' } = placeResult(place)
      return [place.place, kind, url]
    }),
  }
}

function phaseTable(plan: PublishPlan): Event {
  return {
    kind: 'table',
    title: `Publication of ${plan.application} ${plan.version}`,
    columns: ['Phase', 'Operations', 'Size', 'Last key'],
    rows: plan.phases.map(({ phase, ops }) => [
      phase,
      String(ops.length),
      formatBytes(ops.reduce((sum, op) => sum + op.sizeBytes, 0)),
      ops.at(-1)?.key ?? '',
    ]),
  }
}

function operationTable(plan: PublishPlan): Event {
  return {
    kind: 'table',
    title: `Plan for ${plan.application} ${plan.version}`,
    columns: ['Phase', 'Operation', 'Size', 'Key'],
    rows: plan.phases.flatMap(({ phase, ops }) =>
      ops.map(op => [phase, op.replaces === undefined ? 'new' : 'replace', formatBytes(op.sizeBytes), op.key]),
    ),
  }
}
