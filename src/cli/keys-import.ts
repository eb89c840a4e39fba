import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withPublisher } from './publisher-options.ts'
import { runCommand } from './run.ts'

/** `release keys import PAYLOAD SIGNATURES`: publish what was signed elsewhere. */
export function keysImportCommand(io: Io): Command {
  return withPublisher(new Command('import'))
    .description(
      'Check that enough keys have signed a payload, and publish it. The first root of all becomes the one that the keys folder trusts, the first targets begin the repository.',
    )
    .argument('<payload>', 'the file that was signed')
    .argument('<signatures...>', 'the files that `release keys sign` wrote')
    .action(async (payload: string, signatures: readonly string[], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<PublisherFlags>()
      process.exitCode = await runCommand(io, 'keys import', options, async tools => {
        const { importSignatures } = await import('../flow/keys-import.ts')
        const places = publisherOptions(options, io)
        await importSignatures({ ...places, payload, signatures }, tools)
      })
    })
}
