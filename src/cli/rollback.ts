import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PrefixOptions, prefixFolder, waitLockMs, withLock } from './prefix-options.ts'
import { runCommand } from './run.ts'

/** `cutover rollback`: switch back to a version that was active before. */
export function rollbackCommand(io: Io): Command {
  const command = withLock(new Command('rollback'))
    .description('Switch back to the version that was active before, holding requests meanwhile.')
    .option('--to <version>', 'another version that is installed')
  return command.action(async () => {
    const options = command.optsWithGlobals<PrefixOptions & { readonly to?: string }>()
    process.exitCode = await runCommand(io, 'rollback', options, async tools => {
      const { rollback } = await import('../flow/rollback.ts')
      await rollback({ prefix: prefixFolder(options, io), to: options.to, waitLockMs: waitLockMs(options) }, tools)
    })
  })
}
