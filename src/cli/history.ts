import { Command } from 'commander'
import { ReleaseError } from '../core/error.ts'
import type { Io } from './io.ts'
import { type PrefixOptions, prefixFolder, withPrefix } from './prefix-options.ts'
import { runCommand } from './run.ts'

/** `cutover history`: list what was done in a prefix. */
export function historyCommand(io: Io): Command {
  const command = withPrefix(new Command('history'))
    .description(
      'List the installations and rollbacks of a prefix, with their outcome and why each failed one went back.',
    )
    .option('--limit <count>', 'only the last ones')
  return command.action(async () => {
    const options = command.optsWithGlobals<PrefixOptions & { readonly limit?: string }>()
    process.exitCode = await runCommand(io, 'history', options, async tools => {
      const { history } = await import('../flow/history.ts')
      await history({ prefix: prefixFolder(options, io), limit: parseLimit(options.limit) }, tools)
    })
  })
}

function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new ReleaseError('USAGE', `--limit ${text} is not a count`, { hint: 'write it as 10' })
}
