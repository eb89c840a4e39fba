import path from 'node:path'
import { Command, Option } from 'commander'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

interface Options extends GlobalOptions {
  readonly application?: string
  readonly repository?: string
  readonly keys?: string
  readonly url?: string
  readonly fingerprint?: string
  readonly rebuild?: boolean
  readonly dist?: string
  readonly recipe?: string
}

/** `release verify VERSION`: check a published release as its clients would, and with `--rebuild` whether its sources give the same bytes. */
export function releaseVerifyCommand(io: Io): Command {
  return new Command('verify')
    .description(
      'Check a published release as its clients would: signatures, the record, every byte, what is in its envelopes, and that apt and podman find it.',
    )
    .argument('<version>', 'the release to check')
    .option('--application <name>', 'the application; needed when several have a release of that version')
    .option(
      '--repository <dir>',
      'the folder of the repository (else what `release init` set up for this clone, else the only one of its recipe)',
    )
    .option('--keys <dir>', 'the folder of the signing keys, for the root that is trusted')
    .option('--url <url>', 'read from this address instead of the folder: a mirror, or the web server')
    .option('--fingerprint <digest>', 'the fingerprint of the root; with --url and --application no keys are needed')
    .option('--rebuild', 'build it again from its tag in this clone, and say which file and byte differ and why')
    .addOption(
      new Option(
        '--dist <dir>',
        'compare what is built again with the release in this folder, not with the published one',
      )
        .conflicts(['application', 'repository', 'keys', 'url', 'fingerprint'])
        .implies({ rebuild: true }),
    )
    .addOption(
      new Option(
        '--recipe <path>',
        'build it again with a recipe outside of the repository: its file, or the folder that holds it',
      ).implies({ rebuild: true }),
    )
    .action(async (version: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      const { application, repository, keys, url, fingerprint, rebuild, dist, recipe, ...global } = options
      const { cwd, environment } = io
      const published = { cwd, environment, version, application, repository, keys, url, fingerprint }
      process.exitCode = await runCommand(io, 'verify', global, async tools => {
        if (rebuild) {
          const { rebuildRelease } = await import('../flow/rebuild.ts')
          const absolute = (place: string | undefined) => (place === undefined ? undefined : path.resolve(cwd, place))
          return rebuildRelease({ ...published, distFolder: absolute(dist), recipe: absolute(recipe) }, tools)
        }
        const { verifyRelease } = await import('../flow/repository-verify.ts')
        return verifyRelease(published, tools)
      })
    })
}
