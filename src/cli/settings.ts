import { Command } from 'commander'
import { ReleaseError } from '../core/error.ts'
import type { Io } from './io.ts'
import { type PrefixOptions, prefixFolder, waitLockMs, withLock } from './prefix-options.ts'
import { runCommand } from './run.ts'

/** `cutover settings`: list and change what the operator decides for a prefix. */
export function settingsCommand(io: Io): Command {
  const command = withLock(new Command('settings'))
    .description(
      'List what the operator decided for a prefix, or change it: NAME=VALUE, several times for a list, NAME= to take it away. Names in upper case are variables of the environment.',
    )
    .argument('[changes...]', 'such as mirrors=https://mirror.example.org keepReleases=3 PORT=8080')
  return command.action(async (changes: readonly string[]) => {
    const options = command.optsWithGlobals<PrefixOptions>()
    process.exitCode = await runCommand(io, 'settings', options, async tools => {
      const { settings } = await import('../flow/settings.ts')
      const prefix = prefixFolder(options, io)
      await settings({ prefix, changes: changes.map(parseChange), waitLockMs: waitLockMs(options) }, tools)
    })
  })
}

function parseChange(change: string): readonly [string, string] {
  const equals = change.indexOf('=')
  if (equals > 0) return [change.slice(0, equals), change.slice(equals + 1)]
  throw new ReleaseError('USAGE', `${change} is not NAME=VALUE`, { hint: 'write it as keepReleases=3' })
}
