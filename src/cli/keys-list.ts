import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withPublisher } from './publisher-options.ts'
import { runCommand } from './run.ts'

/** `release keys list`: who signs for what, and until when. */
export function keysListCommand(io: Io): Command {
  return withPublisher(new Command('list'))
    .description('List the roles of a repository: their keys, how many must sign, which are at hand, and what expires.')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<PublisherFlags>()
      process.exitCode = await runCommand(io, 'keys list', options, async tools => {
        const { listKeys } = await import('../flow/keys-list.ts')
        await listKeys(publisherOptions(options, io), tools)
      })
    })
}
