import path from 'node:path'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import type { Account, Launch } from '../sys/account.ts'
import { executeReaped } from './reaped.ts'
import { redactor } from './redact.ts'
import type { Secrets } from './secrets.ts'

/** A command of a recipe that runs on a server. */
export type NodeCommand = Pick<NodeRecipe['setup'][number], 'run' | 'directory' | 'environment' | 'timeout'>

/** Which error a failing command is. */
export type CommandCode = 'SETUP_FAILED' | 'MIGRATION_FAILED' | 'BACKUP_FAILED' | 'RESTORE_FAILED' | 'HOOK_FAILED'

/** What a command runs with. */
export interface CommandContext {
  /** The folder of the release. */
  readonly release: string
  readonly values: Readonly<Record<string, string>>
  /** All secrets, so that none is shown: those that services read from files are not among the values. */
  readonly secrets: Secrets
  /** Whom it runs as; undefined: whoever runs us. */
  readonly account?: Account | undefined
  /** What is kept from it besides; see sys/isolation.ts. */
  readonly within?: readonly string[]
  readonly umask?: number
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
 * Errors: `code` with what went wrong; EXEC_EXHAUSTED; RECIPE_PLACEHOLDER.
 */
export async function runNodeCommand(command: NodeCommand, code: CommandCode, context: CommandContext): Promise<void> {
  const redact = redactor(context.secrets)
  const { argv, environment } = commandLaunch(command, context)
  const { account, within, umask } = context
  try {
    await executeReaped(context.release, argv, {
      cwd: path.join(context.release, command.directory ?? ''),
      environment,
      account,
      ...(within === undefined ? {} : { within }),
      ...(umask === undefined ? {} : { umask }),
      timeoutMs: command.timeout,
      signal: context.signal,
      onLine: (stream, line) => context.emit({ kind: 'output', step: context.step, stream, line: redact(line) }),
    })
  } catch (caught) {
    context.signal.throwIfAborted()
    const error = toReleaseError(caught)
    // The machine's trouble, for which no release is to blame.
    if (error.code === 'EXEC_EXHAUSTED') throw error
    throw commandError(error, code, context, redact)
  }
}

/** Fill in a command of a recipe: its words without secrets, its environment with them. Errors: RECIPE_PLACEHOLDER. */
export function commandLaunch(
  command: Pick<NodeCommand, 'run' | 'environment'>,
  context: Pick<CommandContext, 'release' | 'values' | 'secrets' | 'step'>,
): Launch {
  const own = Object.entries(command.environment).map(
    ([name, text]) => [name, fillPlaceholders(text, context.values, `${context.step}, environment ${name}`)] as const,
  )
  return {
    argv: commandArgv(command, context),
    environment: { ...cleanEnvironment, HOME: context.release, ...context.values, ...Object.fromEntries(own) },
  }
}

function commandArgv(
  { run }: Pick<NodeCommand, 'run'>,
  { values, secrets, step }: Pick<CommandContext, 'values' | 'secrets' | 'step'>,
): readonly [string, ...string[]] {
  if (typeof run === 'string') return ['/bin/sh', '-eu', '-c', run]
  const shown = Object.fromEntries(Object.entries(values).filter(([name]) => !Object.hasOwn(secrets, name)))
  const [file = '', ...args] = run.map(word => fillPlaceholders(word, shown, step))
  return [file, ...args]
}

function commandError(
  error: ReleaseError,
  code: CommandCode,
  context: CommandContext,
  redact: (text: string) => string,
): ReleaseError {
  const details = { step: context.step, reason: error.code, path: context.release }
  const message = `${context.step}: ${redact(error.message)}`
  const byHand = `run it by hand in ${context.release} to see more`
  const options = { hint: `${byHand}; the active version was not touched`, details }
  // The cause is left out: it holds the command line and the output as they were.
  switch (code) {
    case 'SETUP_FAILED':
      return new ReleaseError('SETUP_FAILED', message, options)
    case 'MIGRATION_FAILED':
      return new ReleaseError('MIGRATION_FAILED', message, options)
    case 'BACKUP_FAILED':
      return new ReleaseError('BACKUP_FAILED', message, options)
    case 'HOOK_FAILED':
      return new ReleaseError('HOOK_FAILED', message, { ...options, hint: byHand })
    case 'RESTORE_FAILED':
      return new ReleaseError('RESTORE_FAILED', message, { ...options, hint: `${byHand}, then run cutover recover` })
  }
}
