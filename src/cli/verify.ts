import { Command } from 'commander'
import type { Io } from './io.ts'
import { type PrefixOptions, prefixFolder, withPrefix } from './prefix-options.ts'
import { runCommand } from './run.ts'

interface Options extends PrefixOptions {
  readonly version?: string
  readonly offline?: boolean
}

/** `cutover verify`: check the installed files against the signed release. */
export function verifyCommand(io: Io): Command {
  const command = withPrefix(new Command('verify'))
    .description('Check an installed version from its signed record down to every file.')
    .option('--version <version>', 'the version; the active one when absent')
    .option('--offline', 'do not ask the repository; compare with what was signed when it was installed')
  return command.action(async () => {
    const options = command.optsWithGlobals<Options>()
    process.exitCode = await runCommand(io, 'verify', options, async tools => {
      const { verify } = await import('../flow/verify.ts')
      await verify({ prefix: prefixFolder(options, io), version: options.version, offline: options.offline }, tools)
    })
  })
}
