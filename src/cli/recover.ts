import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PrefixOptions, prefixFolder, waitLockMs, withLock } from './prefix-options.ts'
import { runCommand } from './run.ts'

/** `cutover recover`: finish or undo what an interrupted command left. */
export function recoverCommand(io: Io): Command {
  const command = withLock(new Command('recover')).description(
    'Finish or undo what an interrupted command left; install and rollback do it by themselves.',
  )
  return command.action(async () => {
    const options = command.optsWithGlobals<PrefixOptions>()
    process.exitCode = await runCommand(io, 'recover', options, async tools => {
      const { recover } = await import('../flow/recover.ts')
      await recover({ prefix: prefixFolder(options, io), waitLockMs: waitLockMs(options) }, tools)
    })
  })
}
