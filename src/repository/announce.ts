import { createHmac } from 'node:crypto'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import type { Clock } from '../sys/clock.ts'
import { exchange } from '../sys/exchange.ts'
import { execute } from '../sys/exec.ts'
import { isPassingFailure, isPassingStatus, longestAttempts, parseRetryAfter, retryDelayMs } from '../sys/retry.ts'
import { readSecret } from './outlets/secret.ts'
import { type Announcement, announcementId } from './render-announcement.ts'

/** Who is told of a release. Paths are relative to {@link AnnounceTools.cwd}. */
export interface AnnounceSettings {
  readonly webhook?: { readonly url: string; readonly secretFile?: string; readonly secretEnvironment?: string }
  readonly command?: readonly string[]
}

/** What announcing needs of its surroundings. */
export interface AnnounceTools {
  readonly clock: Clock
  readonly wait: (durationMs: number, signal: AbortSignal) => Promise<void>
  /** A number from 0 up to 1. */
  readonly random: () => number
  readonly signal: AbortSignal
  /** Where the command runs: the folder of the recipe. */
  readonly cwd: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Whether somebody was told. */
export type AnnounceOutcome =
  | { readonly kind: 'told'; readonly who: string }
  | { readonly kind: 'failed'; readonly who: string; readonly error: ReleaseError }

const webhookTimeoutMs = 15_000
const commandTimeoutMs = 60_000
/** What a program needs to find its files and to speak to people; everything else of an environment may be a secret. */
const plainVariables = /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|SSL_CERT_(?:FILE|DIR))$/

/**
 * Check before a release is published that its announcement can be signed.
 *
 * Errors: ANNOUNCE_SECRET.
 */
export function assertAnnounceable(
  settings: AnnounceSettings,
  tools: Pick<AnnounceTools, 'cwd' | 'environment'>,
): void {
  if (settings.webhook !== undefined) secretOf(settings.webhook, tools)
}

/**
 * Tell those who want to know that a release is published.
 *
 * Post: one outcome for each; a failure is one of them and never thrown, for the release is published all the same: ANNOUNCE_FAILED,
 * ANNOUNCE_SECRET. Crash: run again, whoever got it knows it by its identifier.
 */
export async function announce(
  settings: AnnounceSettings,
  announcement: Announcement,
  tools: AnnounceTools,
): Promise<readonly AnnounceOutcome[]> {
  const { webhook, command } = settings
  const outcomes: AnnounceOutcome[] = []
  if (webhook !== undefined) {
    const who = new URL(webhook.url).origin
    outcomes.push(await outcomeOf(who, () => callWebhook(webhook, announcement, tools)))
  }
  const [program, ...words] = command ?? []
  if (program !== undefined) {
    outcomes.push(await outcomeOf(program, () => runCommand([program, ...words], announcement, tools)))
  }
  return outcomes
}

/** Write what is signed, and the signature. Source: Standard Webhooks, "Signature scheme" (`ID.TIMESTAMP.BODY`, `v1,` and base64). */
export function signWebhook(
  secret: string,
  message: { readonly id: string; readonly timestampSeconds: number; readonly body: string },
): string {
  const { id, timestampSeconds, body } = message
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret)
  return `v1,${createHmac('sha256', key).update(`${id}.${timestampSeconds}.${body}`).digest('base64')}`
}

async function outcomeOf(who: string, tell: () => Promise<void>): Promise<AnnounceOutcome> {
  try {
    await tell()
    return { kind: 'told', who }
  } catch (caught) {
    const cause = toReleaseError(caught)
    const isOwn = cause.code === 'ANNOUNCE_FAILED' || cause.code === 'ANNOUNCE_SECRET'
    const error = isOwn ? cause : new ReleaseError('ANNOUNCE_FAILED', `${who}: ${cause.message}`, { cause })
    return { kind: 'failed', who, error }
  }
}

type Webhook = NonNullable<AnnounceSettings['webhook']>

async function callWebhook(webhook: Webhook, announcement: Announcement, tools: AnnounceTools): Promise<void> {
  const secret = secretOf(webhook, tools)
  const message = { id: announcementId(announcement), body: JSON.stringify(announcement) }
  for (let attempt = 1; ; attempt += 1) {
    const answer = await post(webhook, { ...message, secret }, tools)
    if (answer.kind === 'taken') return
    const isLast = !answer.isPassing || attempt >= longestAttempts || tools.signal.aborted
    const delayMs = isLast ? undefined : retryDelayMs(attempt, answer.retryAfterMs, tools.random())
    if (delayMs === undefined) {
      // Whatever stands behind the host may be a secret of its own, as many chats have it.
      throw new ReleaseError('ANNOUNCE_FAILED', `${new URL(webhook.url).origin}: ${answer.why}`, {
        details: { host: new URL(webhook.url).host, attempts: attempt },
      })
    }
    await tools.wait(delayMs, tools.signal)
  }
}

type Answered =
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly why: string; readonly isPassing: boolean; readonly retryAfterMs?: number }

async function post(
  { url }: Webhook,
  { id, body, secret }: { readonly id: string; readonly body: string; readonly secret: string | undefined },
  { clock, signal }: AnnounceTools,
): Promise<Answered> {
  // Signed anew for each attempt: receivers refuse what is old.
  const timestampSeconds = Math.floor(clock.nowMs() / 1000)
  const signature = secret === undefined ? undefined : signWebhook(secret, { id, timestampSeconds, body })
  try {
    const answer = await exchange(new URL(url), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(timestampSeconds),
        ...(signature === undefined ? {} : { 'webhook-signature': signature }),
      },
      body: Buffer.from(body),
      signal,
      idleTimeoutMs: webhookTimeoutMs,
      answerTimeoutMs: webhookTimeoutMs,
    })
    await answer.finish()
    const { status } = answer
    if (status >= 200 && status < 300) return { kind: 'taken' }
    const retryAfterMs = parseRetryAfter(answer.header('retry-after'), clock.nowMs())
    const told = retryAfterMs === undefined ? {} : { retryAfterMs }
    return { kind: 'refused', why: `answered ${status}`, isPassing: isPassingStatus(status), ...told }
  } catch (caught) {
    const { code, details } = toReleaseError(caught)
    const errno = details['errno'] ?? 'no answer in time'
    return { kind: 'refused', why: `${code}, ${errno}`, isPassing: isPassingFailure(caught) }
  }
}

function secretOf(webhook: Webhook, { cwd, environment }: Pick<AnnounceTools, 'cwd' | 'environment'>) {
  const { secretFile, secretEnvironment } = webhook
  if (secretEnvironment !== undefined) {
    const secret = environment[secretEnvironment]
    if (secret !== undefined && secret !== '') return secret
    throw new ReleaseError('ANNOUNCE_SECRET', `the variable ${secretEnvironment} is not set`, {
      details: { variable: secretEnvironment },
    })
  }
  if (secretFile === undefined) return undefined
  try {
    return readSecret(secretFile, cwd)
  } catch (caught) {
    const cause = toReleaseError(caught)
    throw new ReleaseError('ANNOUNCE_SECRET', cause.message, { cause, details: { path: secretFile } })
  }
}

async function runCommand(
  command: readonly [string, ...string[]],
  announcement: Announcement,
  { cwd, environment, signal }: AnnounceTools,
): Promise<void> {
  const plain = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && plainVariables.test(entry[0]),
  )
  await execute(command, {
    cwd,
    environment: Object.fromEntries(plain),
    input: `${JSON.stringify(announcement)}\n`,
    timeoutMs: commandTimeoutMs,
    signal,
  })
}
