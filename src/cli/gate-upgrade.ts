import { Command } from 'commander'
import { ReleaseError } from '../core/error.ts'
import { parseDuration } from '../core/quantity.ts'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

interface GateUpgradeCommandOptions extends GlobalOptions {
  readonly prefix?: string
  readonly cutover?: string
  readonly limit?: string
  readonly streams?: string
}

/** `cutover gate upgrade`: have the cutover on the disk take the place of the one that serves. */
export function gateUpgradeCommand(io: Io): Command {
  const command = new Command('upgrade')
    .description('Replace the serving process by the cutover that is installed now, without losing a connection.')
    .argument('[prefix]', 'the prefix; the current folder when absent')
    .option('--prefix <folder>', 'the prefix, another way to name it')
    .option('--cutover <file>', 'another executable than the one that serves, as it is on the disk now')
    .option('--limit <duration>', 'how long it may take until it could take over; 30s when absent')
    .option('--streams <duration>', 'how long event streams and tunnels may keep the old process; 1h when absent')
  return command.action(async (folder: string | undefined) => {
    const options = command.optsWithGlobals<GateUpgradeCommandOptions>()
    process.exitCode = await runCommand(io, 'gate upgrade', options, async tools => {
      const { upgradeGate } = await import('../flow/gate-upgrade.ts')
      await upgradeGate(
        {
          prefix: folder ?? options.prefix ?? io.cwd,
          cutover: options.cutover,
          readyMs: duration('--limit', options.limit),
          streamsMs: duration('--streams', options.streams),
        },
        tools,
      )
    })
  })
}

function duration(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const durationMs = parseDuration(text)
  if (durationMs !== undefined) return durationMs
  throw new ReleaseError('USAGE', `${option} ${text} is not a duration`, { hint: 'write it as 250ms, 25s, 10m or 2h' })
}
