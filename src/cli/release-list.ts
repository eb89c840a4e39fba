import path from 'node:path'
import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withPublisher } from './publisher-options.ts'
import { runCommand } from './run.ts'

interface Options extends PublisherFlags {
  readonly dist?: string
}

/** `release list [APPLICATION]`: what is published and where it is offered, and what is cut and not published. */
export function releaseListCommand(io: Io): Command {
  return withPublisher(new Command('list'))
    .description(
      'List what each channel offers, the releases with their channels, newest first, and those in dist that are not published.',
    )
    .argument('[application]', 'only the releases of this application')
    .option('--dist <dir>', 'where releases were cut to; dist in the clone when absent')
    .action(async (application: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'list', options, async tools => {
        const { listRepository } = await import('../flow/repository-list.ts')
        const distFolder = options.dist === undefined ? undefined : path.resolve(io.cwd, options.dist)
        await listRepository({ ...publisherOptions(options, io), application, distFolder }, tools)
      })
    })
}
