import { ReleaseError, toReleaseError } from '../core/error.ts'
import { execute } from '../sys/exec.ts'
import { readSecret } from '../sys/secret-file.ts'
import { sendWebhook, type WebhookTools } from '../sys/webhook.ts'
import { type Announcement, announcementId } from './render-announcement.ts'

/** Who is told of a release. Paths are relative to {@link AnnounceTools.cwd}. */
export interface AnnounceSettings {
  readonly webhook?: { readonly url: string; readonly secretFile?: string; readonly secretEnvironment?: string }
  readonly command?: readonly string[]
}

/** What announcing needs of its surroundings. */
export interface AnnounceTools extends WebhookTools {
  /** Where the command runs: the folder of the recipe. */
  readonly cwd: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Whether somebody was told. */
export type AnnounceOutcome =
  | { readonly kind: 'told'; readonly who: string }
  | { readonly kind: 'failed'; readonly who: string; readonly error: ReleaseError }

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
  const outcome = await sendWebhook({ url: webhook.url, secret }, message, tools)
  if (outcome.kind === 'taken') return
  const { host, origin } = new URL(webhook.url)
  throw new ReleaseError('ANNOUNCE_FAILED', `${origin}: ${outcome.why}`, {
    details: { host, attempts: outcome.attempts },
  })
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
