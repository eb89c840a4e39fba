import { Command } from 'commander'
import { ReleaseError } from '../core/error.ts'
import { parseDuration } from '../core/quantity.ts'
import type { GateSample } from '../flow/gate-watch.ts'
import type { GlobalOptions, Io } from './io.ts'
import { GateView } from './report/gate-view.ts'
import { openScreen } from './report/screen.ts'
import { createPaint } from './report/style.ts'
import { runCommand } from './run.ts'

interface WatchOptions extends GlobalOptions {
  readonly prefix?: string
  readonly every: string
  readonly count?: string
}

/** `cutover gate watch`: a live view of a gate, for the time of an upgrade. Elsewhere than on a terminal a line for each change. */
export function gateWatchCommand(io: Io): Command {
  const command = new Command('watch')
    .description('Look at the gate all the time: its mode, who waits, how fast requests come, what changes.')
    .argument('[prefix]', 'the prefix; the current folder when absent')
    .option('--prefix <folder>', 'the prefix, another way to name it')
    .option('--every <duration>', 'how often to look', '250ms')
    .option('--count <number>', 'how many looks to take; until it is ended when absent')
  return command.action(async (folder: string | undefined) => {
    const options = command.optsWithGlobals<WatchOptions>()
    process.exitCode = await runCommand(io, 'gate watch', options, async tools => {
      const { gateWatch } = await import('../flow/gate-watch.ts')
      const prefix = folder ?? options.prefix ?? io.cwd
      await gateWatch(
        { prefix, everyMs: everyMs(options.every), count: count(options.count), take: taker(io, options) },
        tools,
      )
    })
  })
}

/** Where looks go: to programs as they are, to a terminal as a view, to anything else as lines. */
function taker(io: Io, options: GlobalOptions): (sample: GateSample) => void {
  if (options.json) return sample => void io.stdout.write(`${JSON.stringify({ kind: 'sample', ...sample })}\n`)
  const view = new GateView(createPaint(io.stdout, io.environment))
  if (io.stdout.isTTY !== true) {
    return sample => {
      if (view.take(sample)) io.stdout.write(`${view.lastChange}\n`)
    }
  }
  const screen = openScreen(io.stdout)
  return sample => {
    view.take(sample)
    screen.draw(view.lines())
  }
}

function everyMs(text: string): number {
  const durationMs = parseDuration(text)
  if (durationMs !== undefined && durationMs >= 20) return durationMs
  throw new ReleaseError('USAGE', `--every ${text} is not a duration of at least 20ms`, {
    hint: 'write it as 250ms or 1s',
  })
}

function count(text: string | undefined): number | undefined {
  if (text === undefined || /^[1-9]\d{0,8}$/.test(text)) return text === undefined ? undefined : Number(text)
  throw new ReleaseError('USAGE', `--count ${text} is not a number of looks`, { hint: 'write a number such as 10' })
}
