import { Command } from 'commander'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

interface Options extends GlobalOptions {
  readonly application?: string
  readonly repository?: string
  readonly keys?: string
  readonly url?: string
  readonly fingerprint?: string
}

/** `release verify VERSION`: check a published release as its clients would. */
export function releaseVerifyCommand(io: Io): Command {
  return new Command('verify')
    .description(
      'Check a published release as its clients would: signatures, the record, every byte, what is in its envelopes, and that apt and podman find it.',
    )
    .argument('<version>', 'the release to check')
    .option('--application <name>', 'the application; needed when several have a release of that version')
    .option('--repository <dir>', 'the folder of the repository (else what `release init` set up for this clone)')
    .option('--keys <dir>', 'the folder of the signing keys, for the root that is trusted')
    .option('--url <url>', 'read from this address instead of the folder: a mirror, or the web server')
    .option('--fingerprint <digest>', 'the fingerprint of the root; with --url and --application no keys are needed')
    .action(async (version: string, _options: unknown, command: Command) => {
      const { application, repository, keys, url, fingerprint, ...global } = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'verify', global, async tools => {
        const { verifyRelease } = await import('../flow/repository-verify.ts')
        const { cwd, environment } = io
        await verifyRelease({ cwd, environment, version, application, repository, keys, url, fingerprint }, tools)
      })
    })
}
