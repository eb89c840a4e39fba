import { type ReleaseError, toReleaseError } from '../core/error.ts'
import type { ServiceStatus } from '../core/service-status.ts'
import { type FailureRecord, keepFailure } from '../prefix/failure-record.ts'
import { redactor } from '../prefix/redact.ts'
import { readSecrets, type Secrets } from '../prefix/secrets.ts'
import type { Transaction } from '../prefix/state.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import type { LockedPrefix } from './locked-prefix.ts'
import { logTails } from './serving-effects.ts'
import type { FlowTools } from './tools.ts'

const logLines = 40
/** What cannot say at once how it is must not keep the version before from coming back. */
const statusTimeoutMs = 2000

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
    const hasStarted = transaction.ops.some(op => op.name === 'start')
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
      services: hasStarted ? await servicesOf(prefix) : [],
      logs: hasStarted ? logTails(prefix.paths, failed.recipe(), logLines) : [],
    }
    keepFailure(prefix.paths, record, redactor(secretsOf(prefix, transaction.version, failed.recipe)))
  } catch (caught) {
    const { code, message } = toReleaseError(caught)
    tools.emit({ kind: 'warning', code, message: `why ${transaction.version} failed was not written down: ${message}` })
  }
}

function identityOf({ txn, command, version, from, by }: Transaction) {
  return { txn, command, version, from, by }
}

function secretsOf({ paths }: LockedPrefix, version: string, recipe: () => InstalledRecipe): Secrets {
  return readSecrets(paths, version, recipe().node.secrets)
}

async function servicesOf(prefix: LockedPrefix): Promise<readonly ServiceStatus[]> {
  try {
    return (await prefix.serving?.status(statusTimeoutMs))?.services ?? []
  } catch {
    // The serving process is gone, which the error that is written down tells.
    return []
  }
}

function causesOf(error: ReleaseError): readonly string[] {
  const causes: string[] = []
  for (let cause = error.cause; cause instanceof Error && causes.length < 5; cause = cause.cause) {
    causes.push(cause.message)
  }
  return causes
}
