import { createHmac } from 'node:crypto'
import { toReleaseError } from '../core/error.ts'
import type { Clock } from './clock.ts'
import { exchange } from './exchange.ts'
import { isPassingFailure, isPassingStatus, longestAttempts, parseRetryAfter, retryDelayMs } from './retry.ts'

/** Who is told of something, over HTTP. */
export interface Webhook {
  readonly url: string
  /** What messages are signed with; without one they are not. */
  readonly secret: string | undefined
}

/** What is told: JSON, with a name by which a message that comes twice is known. */
export interface WebhookMessage {
  readonly id: string
  readonly body: string
}

/** What telling needs of its surroundings. */
export interface WebhookTools {
  readonly clock: Pick<Clock, 'nowMs'>
  readonly wait: (durationMs: number, signal: AbortSignal) => Promise<void>
  /** A number from 0 up to 1. */
  readonly random: () => number
  readonly signal: AbortSignal
}

/** Whether a message was taken; if not, why not, for people. */
export type WebhookOutcome =
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly why: string; readonly attempts: number }

const answerTimeoutMs = 15_000

/**
 * Send a message, again after failures that may pass.
 *
 * Post: whatever stands behind the host of the address is in no outcome, for it may be a secret of its own, as many chats have it.
 * Source: Standard Webhooks, "Webhook headers".
 */
export async function sendWebhook(
  webhook: Webhook,
  message: WebhookMessage,
  tools: WebhookTools,
): Promise<WebhookOutcome> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await post(webhook, message, tools)
    if (answer.kind === 'taken') return answer
    const isLast = !answer.isPassing || attempt >= longestAttempts || tools.signal.aborted
    const delayMs = isLast ? undefined : retryDelayMs(attempt, answer.retryAfterMs, tools.random())
    if (delayMs === undefined) return { kind: 'refused', why: answer.why, attempts: attempt }
    await tools.wait(delayMs, tools.signal)
  }
}

/** Write what is signed, and the signature. Source: Standard Webhooks, "Signature scheme" (`ID.TIMESTAMP.BODY`, `v1,` and base64). */
function signatureOf(secret: string, { id, body }: WebhookMessage, timestampSeconds: number): string {
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret)
  return `v1,${createHmac('sha256', key).update(`${id}.${timestampSeconds}.${body}`).digest('base64')}`
}

type Answered =
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly why: string; readonly isPassing: boolean; readonly retryAfterMs?: number }

async function post(
  { url, secret }: Webhook,
  message: WebhookMessage,
  { clock, signal }: WebhookTools,
): Promise<Answered> {
  // Signed anew for each attempt: receivers refuse what is old.
  const timestampSeconds = Math.floor(clock.nowMs() / 1000)
  const signature = secret === undefined ? undefined : signatureOf(secret, message, timestampSeconds)
  try {
    const answer = await exchange(new URL(url), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'webhook-id': message.id,
        'webhook-timestamp': String(timestampSeconds),
        ...(signature === undefined ? {} : { 'webhook-signature': signature }),
      },
      body: Buffer.from(message.body),
      signal,
      idleTimeoutMs: answerTimeoutMs,
      answerTimeoutMs,
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
