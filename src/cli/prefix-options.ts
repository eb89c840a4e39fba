import type { Command } from 'commander'
import { ReleaseError } from '../core/error.ts'
import { parseDuration } from '../core/quantity.ts'
import type { GlobalOptions, Io } from './io.ts'

/** What every command for an existing prefix can be given. */
export interface PrefixOptions extends GlobalOptions {
  readonly prefix?: string
  readonly waitLock?: string
}

/** Add `--prefix`. */
export function withPrefix(command: Command): Command {
  return command.option('--prefix <folder>', 'the prefix; the current folder when absent')
}

/** Add `--prefix` and `--wait-lock`, for commands that change a prefix. */
export function withLock(command: Command): Command {
  return withPrefix(command).option('--wait-lock <duration>', 'how long to wait for another command, such as 2m', '1s')
}

/** The folder that is meant. */
export function prefixFolder(options: PrefixOptions, io: Io): string {
  return options.prefix ?? io.cwd
}

/** How long to wait for the lock, in milliseconds. Errors: USAGE. */
export function waitLockMs(options: PrefixOptions): number {
  const text = options.waitLock ?? '0s'
  const durationMs = parseDuration(text)
  if (durationMs !== undefined) return durationMs
  throw new ReleaseError('USAGE', `--wait-lock ${text} is not a duration`, { hint: 'write it as 30s or 2m' })
}
