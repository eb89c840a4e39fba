import path from 'node:path'
import { Command } from 'commander'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

interface Options extends GlobalOptions {
  readonly repository?: string
  readonly keys?: string
  readonly dist?: string
}

/** `release list [APPLICATION]`: what is published, and what is cut and not. */
export function releaseListCommand(io: Io): Command {
  return new Command('list')
    .description('List the releases of the vendor repository, newest first, and those in dist that are not published.')
    .argument('[application]', 'only the releases of this application')
    .option('--repository <dir>', 'the folder of the repository (else what `release init` set up for this clone)')
    .option('--keys <dir>', 'the folder of the signing keys, for the root that is trusted')
    .option('--dist <dir>', 'where releases were cut to; dist in the clone when absent')
    .action(async (application: string | undefined, _options: unknown, command: Command) => {
      const { repository, keys, dist, ...global } = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'list', global, async tools => {
        const { listRepository } = await import('../flow/repository-list.ts')
        const { cwd, environment } = io
        const distFolder = dist === undefined ? undefined : path.resolve(cwd, dist)
        await listRepository({ cwd, environment, application, repository, keys, distFolder }, tools)
      })
    })
}
