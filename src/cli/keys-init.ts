import { Command } from 'commander'
import { ReleaseError } from '../core/error.ts'
import type { GlobalOptions, Io } from './io.ts'
import { keyEnvironment, type PassphraseFlags, withPassphrase } from './passphrase-options.ts'
import { runCommand } from './run.ts'

interface Options extends GlobalOptions, PassphraseFlags {
  readonly keys: string
  readonly role: readonly string[]
  readonly count: readonly string[]
  readonly threshold: readonly string[]
  readonly encrypt?: boolean
  readonly public: readonly string[]
  readonly export?: string
  readonly payload?: string
}

/** `release keys init`: make keys and the first root. */
export function keysInitCommand(io: Io): Command {
  return withPassphrase(new Command('init'))
    .description(
      'Make keys, and the first root as soon as every role has keys. Keys that others keep are named by files with their public halves; where the keys of the root are elsewhere, it is written down to be signed there.',
    )
    .requiredOption('--keys <dir>', 'the folder of the signing keys')
    .option('--role <role>', 'make keys for this role here; all when absent (repeatable)', collect, [])
    .option('--count <role=number>', 'how many keys to make for a role; one when absent (repeatable)', collect, [])
    .option('--threshold <role=number>', 'how many keys of a role must sign; one when absent (repeatable)', collect, [])
    .option('--encrypt', 'encrypt the keys that are made with a passphrase')
    .option('--public <file>', 'public keys that were made elsewhere (repeatable)', collect, [])
    .option('--export <file>', 'write the public halves of the keys here to a file')
    .option('--payload <file>', 'write the first root to a file, to be signed elsewhere')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'keys init', options, async tools => {
        const { initKeys } = await import('../flow/keys-init.ts')
        const roles = options.role.length > 0 ? options.role : ['root', 'targets', 'snapshot', 'timestamp', 'apt']
        await initKeys(
          {
            cwd: io.cwd,
            environment: keyEnvironment(options, io),
            keys: options.keys,
            roles,
            counts: numbers('--count', options.count),
            thresholds: numbers('--threshold', options.threshold),
            encrypt: options.encrypt === true,
            publicFiles: options.public,
            exportFile: options.export,
            payload: options.payload,
          },
          tools,
        )
      })
    })
}

function numbers(flag: string, texts: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    texts.map(text => {
      const [, role = '', number = ''] = /^([^=]+)=([1-9]\d?)$/.exec(text) ?? []
      if (role !== '') return [role, Number(number)] as const
      throw new ReleaseError('USAGE', `${flag} ${text} is not a role with a number`, {
        hint: `write it as ${flag} root=2`,
      })
    }),
  )
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
