import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withPublisher } from './publisher-options.ts'
import { runCommand } from './run.ts'

interface Options extends PublisherFlags {
  readonly replace?: boolean
  readonly payload?: string
}

/** `release keys revoke KEY`: trust a key no more. */
export function keysRevokeCommand(io: Io): Command {
  return withPublisher(new Command('revoke'))
    .description('Trust a key no more, at once: for a key that was lost or stolen, or one that was rotated out.')
    .argument('<key>', 'the key id, or the fingerprint of an OpenPGP key; at least eight digits of it')
    .option('--replace', 'put a new key in its place at the same time')
    .option('--payload <file>', 'publish nothing, write what is to be signed to a file')
    .action(async (key: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'keys revoke', options, async tools => {
        const { revokeKey } = await import('../flow/keys-revoke.ts')
        const places = publisherOptions(options, io)
        await revokeKey({ ...places, key, replace: options.replace === true, payload: options.payload }, tools)
      })
    })
}
