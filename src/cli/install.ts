import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PrefixOptions, prefixFolder, waitLockMs, withLock } from './prefix-options.ts'
import { runCommand } from './run.ts'

interface Options extends PrefixOptions {
  readonly version?: string
  readonly channel?: string
  readonly dryRun?: boolean
}

/** `cutover install`: install a version and switch to it. */
export function installCommand(io: Io): Command {
  const command = withLock(new Command('install'))
    .description('Install a version and switch to it, holding requests meanwhile; go back when it is not healthy.')
    .option('--version <version>', 'the version; the newest that has not failed here when absent')
    .option('--channel <name>', 'take the newest that this channel offers; the most stable one when absent')
    .option('--dry-run', 'tell what would be done')
  return command.action(async () => {
    const options = command.optsWithGlobals<Options>()
    process.exitCode = await runCommand(io, 'install', options, async tools => {
      const { version, channel, dryRun } = options
      const { install } = await import('../flow/install.ts')
      await install(
        { prefix: prefixFolder(options, io), version, channel, dryRun, waitLockMs: waitLockMs(options) },
        tools,
      )
    })
  })
}
