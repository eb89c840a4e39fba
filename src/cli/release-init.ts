import { Command } from 'commander'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

interface Options extends GlobalOptions {
  readonly name?: string
  readonly url?: string
  readonly application: readonly string[]
  readonly keys?: string
}

/** `release init DIR`: make a vendor repository and its keys. */
export function releaseInitCommand(io: Io): Command {
  return new Command('init')
    .description(
      'Make a vendor repository in a folder, with its signing keys in another; or add applications to one. In a git clone it is remembered for upload.',
    )
    .argument('<dir>', 'the folder of the repository: an NFS export, or what a web server serves')
    .option('--name <name>', 'what the repository is called; the name of the folder when absent (fixed for ever)')
    .option('--url <url>', 'where clients will reach it, for the commands on its pages')
    .option('--application <name>', 'an application to be published there; may be given several times', collect, [])
    .option('--keys <dir>', 'the folder of the signing keys (else $CUTOVER_KEYS, else ~/.config/cutover/keys/NAME)')
    .action(async (dir: string, _options: unknown, command: Command) => {
      const { name, url, application, keys, ...global } = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'init', global, async tools => {
        const { initRepository } = await import('../flow/repository-init.ts')
        const { cwd, environment } = io
        await initRepository({ cwd, environment, repository: dir, name, url, applications: application, keys }, tools)
      })
    })
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
