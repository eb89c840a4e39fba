import os from 'node:os'
import { digestOf } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { cleanEnvironment } from '../prefix/command.ts'
import type { Transaction } from '../prefix/state.ts'
import { delay, systemClock } from '../sys/clock.ts'
import { execute } from '../sys/exec.ts'
import { readSecret } from '../sys/secret-file.ts'
import { sendWebhook } from '../sys/webhook.ts'
import type { LockedPrefix } from './locked-prefix.ts'
import type { FlowTools } from './tools.ts'

/** Whoever changes a prefix waits no longer than this for those who are told. */
const longestMs = 15_000

/** What is told of the end of a change: JSON for a webhook or on the input of a command. Units: milliseconds since 1970. */
export interface ChangeNotification {
  readonly schema: 1
  readonly event: 'change-ended'
  readonly application: string
  readonly environment: string
  readonly host: string
  readonly prefix: string
  readonly txn: number
  readonly command: Transaction['command']
  readonly version: string
  readonly from: string | undefined
  /** The version that is active now. */
  readonly active: string | undefined
  /** `failed`: it could not be taken back, or not all of it. */
  readonly outcome: 'done' | 'rolled-back' | 'failed'
  readonly code: string | undefined
  readonly reason: string | undefined
  readonly by: string
  readonly beganAtMs: number
  readonly endedAtMs: number
}

/** Tell those whom the operator has named how a change ended. Post: who cannot be told is a warning, and bounded in time. */
export async function notifyEnd(prefix: LockedPrefix, txn: number, tools: FlowTools): Promise<void> {
  const { webhook, webhookSecretFile, command } = prefix.identity.settings?.notify ?? {}
  if (webhook === undefined && command === undefined) return
  const text = notificationOf(prefix, txn, tools.clock.nowMs())
  const attempts = [
    ...(webhook === undefined ? [] : [tellWebhook(webhook, webhookSecretFile, text)]),
    ...(command === undefined ? [] : [tellCommand(command, text, prefix.paths.root)]),
  ]
  for (const attempt of await Promise.allSettled(attempts)) {
    if (attempt.status === 'fulfilled') continue
    const { code, message } = toReleaseError(attempt.reason)
    tools.emit({ kind: 'warning', code, message })
  }
}

function notificationOf(prefix: LockedPrefix, txn: number, nowMs: number): ChangeNotification {
  const { application, environment } = prefix.identity
  const state = prefix.state()
  const transaction = state.transactions.findLast(each => each.txn === txn)!
  const { command, version, from, by, beganAtMs, failure } = transaction
  const isUndone = transaction.outcome === 'aborted' && command !== 'migrate' && state.active !== version
  return {
    schema: 1,
    event: 'change-ended',
    application,
    environment,
    host: os.hostname(),
    prefix: prefix.paths.root,
    txn,
    command,
    version,
    from,
    active: state.active,
    outcome: transaction.outcome === 'committed' ? 'done' : isUndone ? 'rolled-back' : 'failed',
    code: failure?.code,
    reason: failure?.reason,
    by,
    beganAtMs,
    endedAtMs: transaction.endedAtMs ?? nowMs,
  }
}

/** The same change that is told twice, after a recovery for instance, is known by this. */
function idOf({ host, prefix, txn, outcome }: ChangeNotification): string {
  return `msg_${digestOf(JSON.stringify([host, prefix, txn, outcome])).slice('sha256:'.length, 39)}`
}

async function tellWebhook(
  url: string,
  secretFile: string | undefined,
  notification: ChangeNotification,
): Promise<void> {
  const { origin } = new URL(url)
  const secret = secretFile === undefined ? undefined : secretOf(secretFile)
  const message = { id: idOf(notification), body: JSON.stringify(notification) }
  // A change that was interrupted is told of as well: its own signal would forbid that.
  const signal = AbortSignal.timeout(longestMs)
  const tools = { clock: systemClock, wait: delay, random: Math.random, signal }
  const why = await sendWebhook({ url, secret }, message, tools).then(
    outcome => (outcome.kind === 'taken' ? undefined : outcome.why),
    caught => (signal.aborted ? `no answer within ${longestMs} ms` : toReleaseError(caught).message),
  )
  if (why === undefined) return
  throw new ReleaseError('NOTIFY_FAILED', `${origin} was not told: ${why}`, { details: { origin } })
}

function secretOf(file: string): string {
  try {
    return readSecret(file, '/')
  } catch (caught) {
    const cause = toReleaseError(caught)
    throw new ReleaseError('NOTIFY_FAILED', `nobody was told, for there is nothing to sign with: ${cause.message}`, {
      cause,
      details: { path: file },
    })
  }
}

async function tellCommand(
  [program, ...words]: readonly string[],
  notification: ChangeNotification,
  cwd: string,
): Promise<void> {
  if (program === undefined) return
  const input = `${JSON.stringify(notification)}\n`
  try {
    await execute([program, ...words], { cwd, environment: cleanEnvironment, input, timeoutMs: longestMs })
  } catch (caught) {
    const cause = toReleaseError(caught)
    throw new ReleaseError('NOTIFY_FAILED', `${program} was not told: ${cause.message}`, { cause })
  }
}
