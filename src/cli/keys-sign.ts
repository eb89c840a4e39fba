import { Command } from 'commander'
import type { GlobalOptions, Io } from './io.ts'
import { keyEnvironment, type PassphraseFlags, withPassphrase } from './passphrase-options.ts'
import { runCommand } from './run.ts'

interface Options extends GlobalOptions, PassphraseFlags {
  readonly keys: string
  readonly output: string
}

/** `release keys sign PAYLOAD`: sign, on a machine that needs no network. */
export function keysSignCommand(io: Io): Command {
  return withPassphrase(new Command('sign'))
    .description(
      'Show what a payload changes and sign it with the keys of a folder. Neither the repository nor a network is needed.',
    )
    .argument('<payload>', 'the file that `release keys export`, `rotate` or `revoke` wrote')
    .requiredOption('--keys <dir>', 'the folder of the signing keys')
    .requiredOption('-o, --output <file>', 'the file to write the signatures to')
    .action(async (payload: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'keys sign', options, async tools => {
        const { signPayloadFile } = await import('../flow/keys-ceremony.ts')
        const environment = keyEnvironment(options, io)
        const { keys, output } = options
        await signPayloadFile({ cwd: io.cwd, environment, payload, keys, output }, tools)
      })
    })
}
