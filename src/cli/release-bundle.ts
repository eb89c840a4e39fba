import path from 'node:path'
import { Command } from 'commander'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

interface Options extends GlobalOptions {
  readonly application?: string
  readonly repository?: string
  readonly keys?: string
  readonly channel?: string
  readonly output: string
  readonly deltaFrom: readonly string[]
  readonly rootFingerprint?: string
}

/** `release bundle [VERSION…] --output FILE`: one file with all that a server needs to install without a network. */
export function releaseBundleCommand(io: Io): Command {
  const collect = (value: string, before: readonly string[]) => [...before, value]
  return new Command('bundle')
    .description(
      'Make one file with all that a server needs to install releases without a network, for `cutover install --from FILE`. Needs no keys.',
    )
    .argument('[versions...]', 'the releases to put into it; the newest of the channel when absent')
    .requiredOption('--output <file>', 'the file to make')
    .option('--channel <name>', 'take the newest that this channel offers; the most stable one when absent')
    .option('--delta-from <version>', 'add the delta pack from this version; may be given several times', collect, [])
    .option(
      '--application <name>',
      'the application; else that of the recipe in this clone, else the only one of the repository',
    )
    .option(
      '--repository <place>',
      'the repository (else what `release init` set up for this clone, else the only one of its recipe)',
    )
    .option('--keys <dir>', 'a folder of signing keys, for the root that is trusted')
    .option('--root-fingerprint <hex>', 'the digest that a root of the repository must have')
    .action(async (versions: readonly string[], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      const { application, repository, keys, channel, output, deltaFrom, rootFingerprint, ...global } = options
      const { cwd, environment } = io
      process.exitCode = await runCommand(io, 'bundle', global, async tools => {
        const { bundleReleases } = await import('../flow/repository-bundle.ts')
        const absolute = path.resolve(cwd, output)
        const what = { application, versions, channel, deltasFrom: deltaFrom, fingerprint: rootFingerprint }
        await bundleReleases({ cwd, environment, repository, keys, output: absolute, ...what }, tools)
      })
    })
}
