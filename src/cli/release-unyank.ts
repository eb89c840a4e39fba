import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withApplication } from './publisher-options.ts'
import { runCommand } from './run.ts'

/** `release unyank VERSION`: offer a withdrawn release again. */
export function releaseUnyankCommand(io: Io): Command {
  return withApplication(new Command('unyank'))
    .description('Offer a withdrawn release again, in the channels that it was in.')
    .argument('<version>', 'the release to offer again')
    .action(async (version: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<PublisherFlags>()
      process.exitCode = await runCommand(io, 'unyank', options, async tools => {
        const { unyankRelease } = await import('../flow/repository-yank.ts')
        await unyankRelease({ ...publisherOptions(options, io), version }, tools)
      })
    })
}
