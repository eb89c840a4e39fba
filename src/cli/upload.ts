import path from 'node:path'
import { Command } from 'commander'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

interface Options extends GlobalOptions {
  readonly repository?: string
  readonly keys?: string
  readonly dist?: string
  readonly remote: string
  readonly plan?: boolean
}

/** `release upload [VERSION]`: publish what `cut` made. */
export function uploadCommand(io: Io): Command {
  return new Command('upload')
    .description(
      'Publish a release from dist to the vendor repository and push its tag. Killed and run again, it goes on where it was.',
    )
    .argument('[version]', 'the release to publish; the newest in dist when absent')
    .option('--repository <dir>', 'the folder of the repository (else what `release init` set up for this clone)')
    .option('--keys <dir>', 'the folder of the signing keys (else $CUTOVER_KEYS, else what `release init` set up)')
    .option('--dist <dir>', 'where releases were cut to; dist in the clone when absent')
    .option('--remote <name>', 'the git remote that the tag is pushed to, if the clone has it', 'origin')
    .option('--plan', 'show what would be written, and write nothing')
    .action(async (version: string | undefined, _options: unknown, command: Command) => {
      const { repository, keys, dist, remote, plan, ...global } = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'upload', global, async tools => {
        const { upload } = await import('../flow/upload.ts')
        const { cwd, environment } = io
        const distFolder = dist === undefined ? undefined : path.resolve(cwd, dist)
        await upload(
          { cwd, environment, version, repository, keys, distFolder, remote, planOnly: plan === true },
          tools,
        )
      })
    })
}
