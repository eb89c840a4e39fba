import { Command } from 'commander'
import { ReleaseError } from '../core/error.ts'
import type { Io } from './io.ts'
import { type PrefixOptions, prefixFolder, waitLockMs, withLock } from './prefix-options.ts'
import { runCommand } from './run.ts'

interface Options extends PrefixOptions {
  readonly keep?: string
  readonly dryRun?: boolean
}

/** `cutover gc`: remove releases and leftovers that nothing needs any more. */
export function gcCommand(io: Io): Command {
  const command = withLock(new Command('gc'))
    .description(
      'Remove what nothing needs any more: releases beyond those to keep, those that failed, what killed commands left.',
    )
    .option('--keep <number>', 'how many releases stay, the active one included; else what `cutover settings` says')
    .option('--dry-run', 'tell what would be removed, and how much that frees')
  return command.action(async () => {
    const options = command.optsWithGlobals<Options>()
    process.exitCode = await runCommand(io, 'gc', options, async tools => {
      const { collectGarbage } = await import('../flow/gc.ts')
      const { dryRun } = options
      await collectGarbage(
        { prefix: prefixFolder(options, io), keep: keep(options.keep), dryRun, waitLockMs: waitLockMs(options) },
        tools,
      )
    })
  })
}

function keep(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,3}$/.test(text)) return Number(text)
  throw new ReleaseError('USAGE', `--keep ${text} is not a number of releases`, { hint: 'write it as --keep 3' })
}
