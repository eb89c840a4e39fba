import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PrefixOptions, prefixFolder, waitLockMs, withLock } from './prefix-options.ts'
import { runCommand } from './run.ts'

interface Options extends PrefixOptions {
  readonly version?: string
  readonly all?: boolean
  readonly offline?: boolean
  readonly repair?: boolean
  readonly removeExtra?: boolean
}

/** More than fits on a screen nobody reads. */
const listedForPeople = 20

/** `cutover verify`: check the installed files against the signed release, and put back what differs. */
export function verifyCommand(io: Io): Command {
  const command = withLock(new Command('verify'))
    .description('Check installed versions from their signed records down to every file, and mend what differs.')
    .option('--version <version>', 'the version; the active one when absent')
    .option('--all', 'every version that is installed')
    .option('--offline', 'do not ask the repository; compare with what was signed when it was installed')
    .option('--repair', 'put back what differs, from this machine or the repository, while the services run')
    .option('--remove-extra', 'with --repair: move what nobody put there into quarantine')
  return command.action(async () => {
    const options = command.optsWithGlobals<Options>()
    process.exitCode = await runCommand(io, 'verify', options, async tools => {
      const { version, all, offline, repair, removeExtra } = options
      const listed = options.json === true ? undefined : listedForPeople
      const { verify } = await import('../flow/verify.ts')
      await verify(
        {
          prefix: prefixFolder(options, io),
          ...{ version, all, offline, repair, removeExtra, listed },
          waitLockMs: waitLockMs(options),
        },
        tools,
      )
    })
  })
}
