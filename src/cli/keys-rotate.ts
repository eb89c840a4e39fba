import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withPublisher } from './publisher-options.ts'
import { runCommand } from './run.ts'

interface Options extends PublisherFlags {
  readonly key?: string
  readonly public?: string
  readonly keep?: boolean
  readonly payload?: string
}

/** `release keys rotate ROLE`: put a new key in the place of an old one. */
export function keysRotateCommand(io: Io): Command {
  return withPublisher(new Command('rotate'))
    .description(
      'Put a new key in the place of an old one, so that no client is disturbed: first both sign, then the old one is dropped. The old key of apt stays until it is revoked.',
    )
    .argument('<role>', 'root, targets, snapshot, timestamp, apt, or the name of an application')
    .option('--key <id>', 'the key to replace, by the beginning of its id; only needed where there are several')
    .option('--public <file>', 'take the new key from a file with public keys, for it is kept elsewhere')
    .option('--keep', 'leave the old key beside the new one')
    .option('--payload <file>', 'publish nothing, write what is to be signed to a file')
    .action(async (role: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'keys rotate', options, async tools => {
        const { rotateKey } = await import('../flow/keys-rotate.ts')
        const places = publisherOptions(options, io)
        const { key, public: publicFile, keep = false, payload } = options
        await rotateKey({ ...places, role, key, publicFile, keep, payload }, tools)
      })
    })
}
