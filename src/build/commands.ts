import { ReleaseError } from '../core/error.ts'
import type { RecipeCommand } from '../recipe/schema.ts'
import { describe, execute } from '../sys/exec.ts'
import { pinnedUmask } from './environment.ts'

export interface RunCommandsOptions {
  readonly checkout: string
  readonly environment: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  readonly onLine: (stream: 'stdout' | 'stderr', line: string) => void
}

/**
 * Run commands of a recipe in a checkout, one after the other, until one fails.
 *
 * Errors: BUILD_COMMAND (which command, its last lines), EXEC_TIMEOUT, EXEC_NOT_FOUND.
 */
export async function runCommands(commands: readonly RecipeCommand[], options: RunCommandsOptions): Promise<void> {
  for (const command of commands) {
    const argv = argvOf(command)
    try {
      await execute(argv, {
        cwd: command.directory === undefined ? options.checkout : `${options.checkout}/${command.directory}`,
        environment: { ...options.environment, ...command.environment },
        timeoutMs: command.timeout,
        umask: pinnedUmask,
        signal: options.signal,
        onLine: options.onLine,
      })
    } catch (caught) {
      options.signal.throwIfAborted()
      if (!(caught instanceof ReleaseError) || caught.code !== 'EXEC_FAILED') throw caught
      throw new ReleaseError('BUILD_COMMAND', caught.message, { cause: caught, details: caught.details })
    }
  }
}

/** Write a command of a recipe for people: what is run, without the shell around a text. */
export function commandText(command: RecipeCommand): string {
  return typeof command.run === 'string' ? command.run.trim() : describe(command.run)
}

function argvOf(command: RecipeCommand): [string, ...string[]] {
  if (typeof command.run === 'string') return ['/bin/sh', '-eu', '-c', command.run]
  const [file, ...args] = command.run
  return [file!, ...args]
}
