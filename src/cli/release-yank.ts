import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withApplication } from './publisher-options.ts'
import { runCommand } from './run.ts'

interface Options extends PublisherFlags {
  readonly reason: string
}

/** `release yank VERSION --reason TEXT`: withdraw a release. */
export function releaseYankCommand(io: Io): Command {
  return withApplication(new Command('yank'))
    .description(
      'Withdraw a release: no channel offers it any more, and the Python index marks it. Whoever names its version still gets it, and hears why it was withdrawn.',
    )
    .argument('<version>', 'the release to withdraw')
    .requiredOption('--reason <text>', 'why, for everybody to read')
    .action(async (version: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'yank', options, async tools => {
        const { yankRelease } = await import('../flow/repository-yank.ts')
        await yankRelease({ ...publisherOptions(options, io), version, reason: options.reason }, tools)
      })
    })
}
