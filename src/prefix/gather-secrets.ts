import { ReleaseError, toReleaseError } from '../core/error.ts'
import { decryptAge } from './age.ts'
import { type CommandContext, commandLaunch } from './command.ts'
import type { FileChange } from './file-change.ts'
import { releasePaths } from './layout.ts'
import { executeReaped } from './reaped.ts'
import { generateSecrets, readSecrets, readStored, storeSecrets, type WantedSecret } from './secrets.ts'
import { readOverlaid } from './template.ts'

/** The longest secret that is taken; what is passed as a variable may not be longer. Source: execve(2), MAX_ARG_STRLEN. */
const longestBytes = 64 * 1024

/**
 * Have every secret that a release wants: generate, ask commands, decrypt.
 *
 * Post: they are in files with mode 0600 for {@link readSecrets}. What a command printed replaces what it printed the last time, so that a
 * changed secret counts from this change on. A release that was there before goes on with what is known where it cannot be had, with a
 * warning. Errors: SECRET_UNAVAILABLE, SECRET_KEY, DOCUMENT_INVALID, RECIPE_PLACEHOLDER; none
 * holds any of a secret. Crash: run again.
 */
export async function gatherSecrets(change: FileChange, context: CommandContext): Promise<void> {
  const { paths, version } = change
  const { secrets: wanted } = change.recipe().node
  generateSecrets(paths, wanted)
  const asked: Record<string, string> = {}
  const decrypted: Record<string, string> = {}
  for (const secret of wanted) {
    const { name, command, age } = secret
    if (command !== undefined) asked[name] = await orKnown(change, secret, ask(secret, command, context))
    if (age !== undefined) decrypted[name] = await orKnown(change, secret, decrypt(change, secret, age))
  }
  if (Object.keys(asked).length > 0) storeSecrets(paths.secrets, { ...readStored(paths.secrets), ...asked })
  if (Object.keys(decrypted).length > 0) storeSecrets(releasePaths(paths, version).secrets, decrypted)
}

/** A way back must not depend on what provides secrets: a release that is there goes on with what it had. */
async function orKnown(change: FileChange, secret: WantedSecret, obtained: Promise<string>): Promise<string> {
  try {
    return await obtained
  } catch (caught) {
    change.signal.throwIfAborted()
    const error = toReleaseError(caught)
    const known =
      change.origin === undefined ? readSecrets(change.paths, change.version, [secret])[secret.name] : undefined
    if (known === undefined) throw error
    change.emit({ kind: 'warning', code: error.code, message: `${error.message}; going on with what it was before` })
    return known
  }
}

async function ask(
  secret: WantedSecret,
  command: NonNullable<WantedSecret['command']>,
  context: CommandContext,
): Promise<string> {
  const { argv, environment } = commandLaunch(command, context)
  const { signal, account } = context
  const printed = await executeReaped(context.release, argv, {
    cwd: context.release,
    environment,
    timeoutMs: command.timeout,
    signal,
    account,
    isOutputSecret: true,
  }).catch((caught: unknown) => {
    signal.throwIfAborted()
    throw unavailable(secret.name, toReleaseError(caught).message)
  })
  return checked(secret, printed.stdout)
}

async function decrypt(change: FileChange, secret: WantedSecret, file: string): Promise<string> {
  const { paths, version, identity } = change
  const { environment, settings } = identity
  const encrypted = readOverlaid({ paths, version, environment, template: file })
  const bytes = await decryptAge(encrypted, settings?.ageKeyFile, secret.name)
  try {
    return checked(secret, new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (caught) {
    if (caught instanceof ReleaseError) throw caught
    throw unavailable(secret.name, `${file} does not hold text`)
  }
}

/** A last line break is what commands and editors end their text with; a file is handed on as it is. */
function checked(secret: WantedSecret, text: string): string {
  const value = secret.as === 'file' ? text : text.replace(/\r?\n$/, '')
  if (value === '') throw unavailable(secret.name, 'what it comes from is empty')
  if (value.includes('\0')) throw unavailable(secret.name, 'what it comes from holds a zero byte')
  if (Buffer.byteLength(value) > longestBytes)
    throw unavailable(secret.name, 'what it comes from is longer than 64 KiB')
  return value
}

function unavailable(name: string, why: string): ReleaseError {
  return new ReleaseError('SECRET_UNAVAILABLE', `the secret ${name} cannot be had: ${why}`, {
    details: { secret: name },
  })
}
