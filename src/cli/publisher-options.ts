import type { Command } from 'commander'
import type { GlobalOptions, Io } from './io.ts'
import { keyEnvironment, type PassphraseFlags, withPassphrase } from './passphrase-options.ts'

/** What every command for an application of a vendor repository can be given. */
export interface PublisherFlags extends GlobalOptions, PassphraseFlags {
  readonly application?: string
  readonly repository?: string
  readonly keys?: string
}

/** Add `--repository`, `--keys` and what opens encrypted keys. */
export function withPublisher(command: Command): Command {
  return withPassphrase(
    command
      .option(
        '--repository <place>',
        'the repository (else what `release init` set up for this clone, else the only one of its recipe)',
      )
      .option('--keys <dir>', 'the folder of the signing keys (else $CUTOVER_KEYS, else what `release init` set up)'),
  )
}

/** Add `--application` and what {@link withPublisher} adds. */
export function withApplication(command: Command): Command {
  return withPublisher(
    command.option(
      '--application <name>',
      'the application; else that of the recipe in this clone, else the only one of the repository',
    ),
  )
}

/** What the flows of the release side take, from the flags. Errors: USAGE. */
export function publisherOptions({ application, repository, keys, ...flags }: PublisherFlags, io: Io) {
  return { cwd: io.cwd, environment: keyEnvironment(flags, io), application, repository, keys }
}
