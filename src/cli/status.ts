import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PrefixOptions, prefixFolder, withPrefix } from './prefix-options.ts'
import { runCommand } from './run.ts'

/** `cutover status`: tell what is installed and how it runs. */
export function statusCommand(io: Io): Command {
  const command = withPrefix(new Command('status')).description(
    'Tell what is installed in a prefix, what serves it, and whether a change is unfinished.',
  )
  return command.action(async () => {
    const options = command.optsWithGlobals<PrefixOptions>()
    process.exitCode = await runCommand(io, 'status', options, async tools => {
      const { status } = await import('../flow/status.ts')
      await status({ prefix: prefixFolder(options, io) }, tools)
    })
  })
}
