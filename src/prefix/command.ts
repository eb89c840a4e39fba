import path from 'node:path'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import { executeReaped } from './reaped.ts'
import type { Secrets } from './secrets.ts'

/** A command of a recipe that runs on a server. */
export type NodeCommand = Pick<NodeRecipe['setup'][number], 'run' | 'directory' | 'environment' | 'timeout'>

/** Which error a failing command is. */
export type CommandCode = 'SETUP_FAILED' | 'MIGRATION_FAILED'

/** What a command runs with. */
export interface CommandContext {
  /** The folder of the release. */
  readonly release: string
  readonly values: Readonly<Record<string, string>>
  readonly secrets: Secrets
  /** The step whose output the lines are. */
  readonly step: string
  readonly emit: Emit
  readonly signal: AbortSignal
}

/** The environment of everything that we run on a server, before what the recipe adds: nothing of the caller's. */
export const cleanEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
  LC_ALL: 'C.UTF-8',
}

/**
 * Run a command of a recipe in a release.
 *
 * A list has its placeholders filled in, but for secrets, which every user of the machine could read there; a string is the shell's.
 * Both find all values, secrets included, as variables in an otherwise clean environment. Secrets are taken out of what is printed.
 * Errors: `code` with what went wrong; RECIPE_PLACEHOLDER.
 */
export async function runNodeCommand(command: NodeCommand, code: CommandCode, context: CommandContext): Promise<void> {
  const redact = redactor(context.secrets)
  const argv = commandArgv(command, context)
  const environment = commandEnvironment(command, context)
  try {
    await executeReaped(context.release, argv, {
      cwd: path.join(context.release, command.directory ?? ''),
      environment,
      timeoutMs: command.timeout,
      signal: context.signal,
      onLine: (stream, line) => context.emit({ kind: 'output', step: context.step, stream, line: redact(line) }),
    })
  } catch (caught) {
    context.signal.throwIfAborted()
    throw commandError(toReleaseError(caught), code, context, redact)
  }
}

function commandArgv(command: NodeCommand, context: CommandContext): readonly [string, ...string[]] {
  if (typeof command.run === 'string') return ['/bin/sh', '-eu', '-c', command.run]
  const shown = Object.fromEntries(
    Object.entries(context.values).filter(([name]) => !Object.hasOwn(context.secrets, name)),
  )
  const [file = '', ...args] = command.run.map(word => fillPlaceholders(word, shown, context.step))
  return [file, ...args]
}

function commandEnvironment(command: NodeCommand, context: CommandContext): Readonly<Record<string, string>> {
  const own = Object.entries(command.environment).map(
    ([name, text]) => [name, fillPlaceholders(text, context.values, `${context.step}, environment ${name}`)] as const,
  )
  return { ...cleanEnvironment, HOME: context.release, ...context.values, ...Object.fromEntries(own) }
}

/** Make a function that takes secrets out of a text. */
export function redactor(secrets: Secrets): (text: string) => string {
  const hidden = Object.values(secrets).filter(secret => secret !== '')
  return text => hidden.reduce((shown, secret) => shown.replaceAll(secret, '***'), text)
}

function commandError(
  error: ReleaseError,
  code: CommandCode,
  context: CommandContext,
  redact: (text: string) => string,
): ReleaseError {
  const hint = { hint: `run it by hand in ${context.release} to see more; the active version was not touched` }
  const details = { step: context.step, reason: error.code, path: context.release }
  const message = `${context.step}: ${redact(error.message)}`
  // The cause is left out: it holds the command line and the output as they were.
  if (code === 'SETUP_FAILED') return new ReleaseError('SETUP_FAILED', message, { ...hint, details })
  return new ReleaseError('MIGRATION_FAILED', message, { ...hint, details })
}
