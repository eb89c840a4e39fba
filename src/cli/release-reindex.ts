import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withPublisher } from './publisher-options.ts'
import { runCommand } from './run.ts'

interface Options extends PublisherFlags {
  readonly check?: boolean
}

/** `release reindex`: make every index anew from what is signed, after every file was found to be what it should be. */
export function releaseReindexCommand(io: Io): Command {
  return withPublisher(new Command('reindex'))
    .description(
      'Compare every file of the repository with its signed record, then make every index and page anew. A damaged or missing file is told with its digests, and nothing is written.',
    )
    .option('--check', 'compare only, write nothing, and fail where an index is not what it should be')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'reindex', options, async tools => {
        const { reindexRepository } = await import('../flow/repository-reindex.ts')
        await reindexRepository({ ...publisherOptions(options, io), checkOnly: options.check === true }, tools)
      })
    })
}
