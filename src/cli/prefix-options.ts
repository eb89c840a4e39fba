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
  return durationMs('--wait-lock', options.waitLock) ?? 0
}

/** The length of time that an option is given, in milliseconds. Errors: USAGE. */
export function durationMs(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const parsed = parseDuration(text)
  if (parsed !== undefined) return parsed
  throw new ReleaseError('USAGE', `${option} ${text} is not a duration`, { hint: 'write it as 30s or 2m' })
}
