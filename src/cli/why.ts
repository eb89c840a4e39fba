import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PrefixOptions, prefixFolder, withPrefix } from './prefix-options.ts'
import { runCommand } from './run.ts'

/** `cutover why`: tell why a version was taken back, or is not chosen. */
export function whyCommand(io: Io): Command {
  const command = withPrefix(new Command('why'))
    .description(
      'Tell why the last change that failed was taken back: the cause, what was seen, what the services wrote last, and how long each step took.',
    )
    .option('--version <version>', 'ask about this version')
  return command.action(async () => {
    const options = command.optsWithGlobals<PrefixOptions & { readonly version?: string }>()
    process.exitCode = await runCommand(io, 'why', options, async tools => {
      const { why } = await import('../flow/why.ts')
      await why({ prefix: prefixFolder(options, io), version: options.version }, tools)
    })
  })
}
