import path from 'node:path'
import type { Command } from 'commander'
import { ReleaseError } from '../core/error.ts'
import type { Io } from './io.ts'

/** Where the passphrase of encrypted keys is. */
export interface PassphraseFlags {
  readonly passphraseFile?: string
  readonly passphraseFd?: string
}

/** Add `--passphrase-file` and `--passphrase-fd`. */
export function withPassphrase(command: Command): Command {
  return command
    .option('--passphrase-file <file>', 'a file with the passphrase of encrypted keys (else $CUTOVER_PASSPHRASE_FILE)')
    .option('--passphrase-fd <number>', 'an open descriptor with the passphrase of encrypted keys')
}

/** The environment in which keys are opened: it names the file of the passphrase. Errors: USAGE. */
export function keyEnvironment({ passphraseFile, passphraseFd }: PassphraseFlags, io: Io): Io['environment'] {
  const file = passphraseFd === undefined ? passphraseFile : descriptorFile(passphraseFd)
  if (file === undefined) return io.environment
  return { ...io.environment, CUTOVER_PASSPHRASE_FILE: path.resolve(io.cwd, file) }
}

function descriptorFile(text: string): string {
  if (/^\d{1,4}$/.test(text)) return `/dev/fd/${text}`
  throw new ReleaseError('USAGE', `--passphrase-fd ${text} is not a number`, { hint: 'write it as --passphrase-fd 3' })
}
