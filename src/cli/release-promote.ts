import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withApplication } from './publisher-options.ts'
import { runCommand } from './run.ts'

interface Options extends PublisherFlags {
  readonly to: string
}

/** `release promote VERSION --to CHANNEL`: offer a release in a channel, or roll the channel back to it. */
export function releasePromoteCommand(io: Io): Command {
  return withApplication(new Command('promote'))
    .description(
      'Offer a release in a channel: in apt, to installers, and as the tag of its image. One older than what the channel offers rolls it back: newer ones leave the channel.',
    )
    .argument('<version>', 'the release to offer')
    .requiredOption('--to <channel>', 'the channel, such as stable')
    .action(async (version: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'promote', options, async tools => {
        const { promoteRelease } = await import('../flow/repository-promote.ts')
        await promoteRelease({ ...publisherOptions(options, io), version, channel: options.to }, tools)
      })
    })
}
