import path from 'node:path'
import { Command, Option } from 'commander'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

interface Options extends GlobalOptions {
  readonly snapshot?: boolean
  readonly local?: boolean
  readonly dryRun?: boolean
  readonly recipe?: string
  readonly output?: string
  readonly repository?: string
}

/** `release cut VERSION`: test, build, package, rehearse and tag. */
export function cutCommand(io: Io): Command {
  return new Command('cut')
    .description(
      'Cut a release from the commit that is checked out: test it, build it, pack it, install it on trial, then tag it. A failure leaves no trace.',
    )
    .argument('[version]', 'the version to cut, such as 1.2.3; optional with --snapshot')
    .option('--snapshot', 'cut an unpublished version of any branch: nothing is committed and nothing tagged')
    .addOption(
      new Option('--local', 'make a snapshot for this machine alone, untested and never to be published').implies({
        snapshot: true,
      }),
    )
    .option('--dry-run', 'check that the release could be cut and show what would be done')
    .option('--recipe <path>', 'a recipe outside of the repository: its file, or the folder that holds it')
    .option(
      '--repository <dir>',
      'the vendor repository, for deltas from releases that are not in dist (default: git config cutover.repository)',
    )
    .option('--output <dir>', 'where releases are put (default: dist in the repository)')
    .action(async (version: string | undefined, _options: unknown, command: Command) => {
      const { snapshot, local, dryRun, recipe, output, repository, ...global } = command.optsWithGlobals<Options>()
      const { cwd, environment } = io
      const absolute = (place: string | undefined) => (place === undefined ? undefined : path.resolve(cwd, place))
      process.exitCode = await runCommand(io, 'cut', global, async tools => {
        const { cut } = await import('../flow/cut.ts')
        await cut(
          {
            cwd,
            environment,
            version,
            snapshot: snapshot === true,
            local,
            dryRun: dryRun === true,
            recipe: absolute(recipe),
            output: absolute(output),
            repository: absolute(repository),
          },
          tools,
        )
      })
    })
}
