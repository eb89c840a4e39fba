import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withApplication } from './publisher-options.ts'
import { runCommand } from './run.ts'

interface Options extends PublisherFlags {
  readonly release?: boolean
}

/** `release hold VERSION`: keep a release from being pruned. */
export function releaseHoldCommand(io: Io): Command {
  return withApplication(new Command('hold'))
    .description('Keep a release from being pruned, however old it becomes; with --release let it be.')
    .argument('<version>', 'the release to keep')
    .option('--release', 'let it be pruned again')
    .action(async (version: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'hold', options, async tools => {
        const { holdRelease } = await import('../flow/repository-hold.ts')
        await holdRelease({ ...publisherOptions(options, io), version, hold: options.release !== true }, tools)
      })
    })
}
