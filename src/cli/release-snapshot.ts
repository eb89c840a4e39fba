import { Command, Option } from 'commander'
import { ReleaseError } from '../core/error.ts'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withPublisher } from './publisher-options.ts'
import { runCommand } from './run.ts'

interface Options extends PublisherFlags {
  readonly list?: boolean
  readonly drop?: string
}

/** `release snapshot [ID]`: keep the apt suites as they are now under a date. */
export function releaseSnapshotCommand(io: Io): Command {
  return withPublisher(new Command('snapshot'))
    .description(
      'Keep all apt suites as they are now under a date, for `apt --snapshot ID`. The packages that they list are kept as long as the snapshot is.',
    )
    .argument('[id]', 'what it is called, as 20261121T074500Z; the present time when absent')
    .addOption(new Option('--list', 'list the snapshots').conflicts('drop'))
    .option('--drop <id>', 'drop a snapshot')
    .action(async (id: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'snapshot', options, async tools => {
        if (id !== undefined && (options.list || options.drop !== undefined)) throw tooManyOrders(id)
        const { dropSnapshot, listSnapshots, takeSnapshot } = await import('../flow/repository-snapshot.ts')
        const common = publisherOptions(options, io)
        if (options.list) return listSnapshots(common, tools)
        if (options.drop !== undefined) return dropSnapshot({ ...common, id: options.drop }, tools)
        return takeSnapshot({ ...common, id }, tools)
      })
    })
}

function tooManyOrders(id: string): ReleaseError {
  return new ReleaseError('USAGE', `${id} cannot be kept while snapshots are listed or dropped`, {
    hint: 'give --list or --drop ID alone',
  })
}
