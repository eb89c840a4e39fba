import { Command, Option } from 'commander'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withPublisher } from './publisher-options.ts'
import { runCommand } from './run.ts'

interface Options extends Omit<PublisherFlags, 'application'> {
  readonly role: 'root' | 'targets'
  readonly output: string
  readonly application: readonly string[]
}

/** `release keys export`: write down what is to be signed elsewhere. */
export function keysExportCommand(io: Io): Command {
  return withPublisher(new Command('export'))
    .description(
      'Write the next root or targets, with a new date, to a file: the exact bytes that are to be signed where their keys are kept.',
    )
    .addOption(new Option('--role <role>', 'what is to be signed').choices(['root', 'targets']).makeOptionMandatory())
    .requiredOption('-o, --output <file>', 'the file to write')
    .option('--application <name>', 'delegate an application to a key of its own (repeatable)', collect, [])
    .action(async (_options: unknown, command: Command) => {
      const { application, ...options } = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'keys export', options, async tools => {
        const { exportPayload } = await import('../flow/keys-ceremony.ts')
        const places = publisherOptions(options, io)
        const { role, output } = options
        await exportPayload({ ...places, role, payload: output, applications: application }, tools)
      })
    })
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
