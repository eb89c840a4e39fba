import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withPublisher } from './publisher-options.ts'
import { runCommand } from './run.ts'

interface Options extends PublisherFlags {
  readonly check?: boolean
}

/** `release refresh`: renew what expires by itself, and tell what does not. */
export function releaseRefreshCommand(io: Io): Command {
  return withPublisher(new Command('refresh'))
    .description(
      'Renew the dates of a repository that nobody publishes to: its timestamp, its snapshot, and the apt suites where they expire. For cron: it fails when something is about to expire that it cannot renew.',
    )
    .option('--check', 'renew nothing, only tell when what expires')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'refresh', options, async tools => {
        const { refreshRepository } = await import('../flow/repository-refresh.ts')
        await refreshRepository({ ...publisherOptions(options, io), checkOnly: options.check === true }, tools)
      })
    })
}
