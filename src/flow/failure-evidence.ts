import path from 'node:path'
import { type ReleaseError, toReleaseError } from '../core/error.ts'
import { type FailureRecord, keepFailure } from '../prefix/failure-record.ts'
import { redactor } from '../prefix/redact.ts'
import { readSecrets, type Secrets } from '../prefix/secrets.ts'
import { backupOp, type Transaction } from '../prefix/state.ts'
import { timelineOf } from '../prefix/timeline.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import type { LockedPrefix } from './locked-prefix.ts'
import { logTails, placeOf, statusIfAny } from './serving-effects.ts'
import type { FlowTools } from './tools.ts'

const logLines = 40

/**
 * Write down why a change fails, while what it has started is still there.
 *
 * Post: that nothing could be written down, on a full disk for instance, is a warning and stops no taking back.
 */
export async function keepEvidence(
  prefix: LockedPrefix,
  failed: { readonly txn: number; readonly recipe: () => InstalledRecipe; readonly error: ReleaseError },
  tools: FlowTools,
): Promise<void> {
  const transaction = prefix.state().unfinished!
  const { error } = failed
  try {
    const hasStarted = transaction.ops.some(op => op.name === 'start' || op.name === 'start-beside')
    const status = hasStarted ? await statusIfAny(prefix.serving) : undefined
    const place = placeOf(transaction.version, status)
    const record: FailureRecord = {
      ...identityOf(transaction),
      schema: 1,
      at: tools.clock.nowMs(),
      op: transaction.ops.findLast(op => op.state === 'intent')?.name,
      code: error.code,
      message: error.message,
      hint: error.hint,
      details: error.details,
      causes: causesOf(error),
      services: [...(status?.services ?? []), ...(status?.beside?.services ?? [])],
      logs: hasStarted ? logTails(prefix.paths, failed.recipe(), { lines: logLines, place }) : [],
    }
    keepFailure(prefix.paths, record, redactor(secretsOf(prefix, transaction.version, failed.recipe)))
  } catch (caught) {
    const { code, message } = toReleaseError(caught)
    tools.emit({ kind: 'warning', code, message: `why ${transaction.version} failed was not written down: ${message}` })
  }
}

/**
 * Tell where the copies are that a failed change made of data which went on being written. Those are never put back by themselves:
 * whether what was written since may be lost is for people to say.
 */
export function tellBackups({ paths, journal }: LockedPrefix, txn: number, { emit }: FlowTools): void {
  const backups = timelineOf(journal.records, txn).filter(({ step }) => step.startsWith(`${backupOp}:`))
  for (const { note } of backups) {
    if (note === undefined) continue
    const how =
      'the restore command of the recipe puts it back, with BACKUP_FOLDER set to that folder and nothing running'
    emit({
      kind: 'note',
      message: `the data as it was before its migrations is in ${path.join(paths.root, note)}: ${how}`,
    })
  }
}

function identityOf({ txn, command, version, from, by }: Transaction) {
  return { txn, command, version, from, by }
}

function secretsOf({ paths }: LockedPrefix, version: string, recipe: () => InstalledRecipe): Secrets {
  return readSecrets(paths, version, recipe().node.secrets)
}

function causesOf(error: ReleaseError): readonly string[] {
  const causes: string[] = []
  for (let cause = error.cause; cause instanceof Error && causes.length < 5; cause = cause.cause) {
    causes.push(cause.message)
  }
  return causes
}
