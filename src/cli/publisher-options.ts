import type { Command } from 'commander'
import type { GlobalOptions, Io } from './io.ts'

/** What every command for an application of a vendor repository can be given. */
export interface PublisherFlags extends GlobalOptions {
  readonly application?: string
  readonly repository?: string
  readonly keys?: string
}

/** Add `--repository` and `--keys`. */
export function withPublisher(command: Command): Command {
  return command
    .option('--repository <place>', 'the repository (else what `release init` set up for this clone)')
    .option('--keys <dir>', 'the folder of the signing keys (else $CUTOVER_KEYS, else what `release init` set up)')
}

/** Add `--application`, `--repository` and `--keys`. */
export function withApplication(command: Command): Command {
  return withPublisher(
    command.option(
      '--application <name>',
      'the application; else that of the recipe in this clone, else the only one of the repository',
    ),
  )
}

/** What the flows of the release side take, from the flags. */
export function publisherOptions({ application, repository, keys }: PublisherFlags, { cwd, environment }: Io) {
  return { cwd, environment, application, repository, keys }
}
