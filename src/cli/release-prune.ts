import { Command } from 'commander'
import { ReleaseError } from '../core/error.ts'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withApplication } from './publisher-options.ts'
import { runCommand } from './run.ts'

interface Options extends PublisherFlags {
  readonly keep: string
  readonly apply?: boolean
}

/** `release prune --keep N`: remove old releases, or show which would go. */
export function releasePruneCommand(io: Io): Command {
  return withApplication(new Command('prune'))
    .description(
      'Show which releases of an application are older than the newest of each channel, and what removing them frees; with --apply remove them. What a channel offers, what is held and what something else needs stays.',
    )
    .option('--keep <count>', 'how many releases of each channel to keep', '10')
    .option('--apply', 'remove them: without it nothing is changed')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'prune', options, async tools => {
        const keep = parseKeep(options.keep)
        const { pruneReleases } = await import('../flow/repository-prune.ts')
        await pruneReleases({ ...publisherOptions(options, io), keep, apply: options.apply === true }, tools)
      })
    })
}

function parseKeep(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new ReleaseError('USAGE', `--keep is ${JSON.stringify(text)}, expected a count of releases`, {
    hint: 'write a whole number from 1 to 999999',
  })
}
