import type { Emit, Event } from '../core/event.ts'
import { formatBytes } from '../core/quantity.ts'
import type { PublishPlan } from '../repository/plan.ts'
import type { WriteOutcome } from '../repository/target.ts'

/** What an upload came to; the `result` of its last event. */
export interface UploadResult {
  readonly application: string
  readonly version: string
  readonly repository: string
  readonly written: number
  readonly linked: number
  readonly unchanged: number
  readonly writtenBytes: number
}

/** Operations by what became of them, and the bytes of those that were written. */
export type UploadCounts = Record<WriteOutcome, number> & { writtenBytes: number }

/** An upload that ended. `plan` is absent when everything was published before. */
export interface EndedUpload {
  readonly record: { readonly name: string; readonly version: string }
  readonly repository: string
  readonly plan: PublishPlan | undefined
  readonly planOnly: boolean
  readonly counts: Readonly<UploadCounts>
  readonly durationMs: number
}

/** Tell how an upload ended: its table, then `run-done` with an {@link UploadResult}. */
export function reportUpload(ended: EndedUpload, emit: Emit): void {
  const { record, repository, plan, planOnly, counts, durationMs } = ended
  if (plan !== undefined) emit(planOnly ? operationTable(plan) : phaseTable(plan))
  const result: UploadResult = { application: record.name, version: record.version, repository, ...counts }
  emit({
    kind: 'run-done',
    command: 'upload',
    changed: counts.written + counts.linked > 0,
    durationMs,
    message: summary(ended),
    result,
  })
}

function summary({ record, repository, plan, planOnly, counts }: EndedUpload): string {
  const release = `${record.name} ${record.version}`
  if (plan === undefined) return `${release} is already published in ${repository}`
  if (planOnly) return `${release} would be published in ${repository}; nothing was written`
  return `${release} is published in ${repository}, ${formatBytes(counts.writtenBytes)} written`
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
