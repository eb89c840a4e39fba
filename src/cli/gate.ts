import { Command } from 'commander'
import { ReleaseError } from '../core/error.ts'
import { parseDuration } from '../core/quantity.ts'
import { gateConfigCommand } from './gate-config.ts'
import { gateUpgradeCommand } from './gate-upgrade.ts'
import { gateWatchCommand } from './gate-watch.ts'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

const verbs = {
  status: 'tell what the gate does, what runs behind it, and how many requests wait',
  pass: 'let requests through; what is held goes first, oldest first',
  hold: 'hold requests, within the bounds of the recipe',
  backoff: 'turn requests away with a 503 that says when to come again',
  drain: 'turn requests away and end connections, before the machine is taken out of service',
  soften: 'let requests through, and have a rising share of good answers tell clients to stay away, before an upgrade',
} as const

type Verb = keyof typeof verbs

interface VerbOptions extends GlobalOptions {
  readonly prefix?: string
  readonly reason?: string
  readonly for?: string
}

/** `cutover gate`: look at the gate of a prefix or set its mode. */
export function gateCommand(io: Io): Command {
  const command = new Command('gate')
    .description('Look at the gate of a prefix that is served, or set its mode.')
    // Here too, for bin/gate puts it behind whatever is typed.
    .option('--prefix <folder>', 'the prefix; the current folder when absent')
  for (const verb of Object.keys(verbs) as Verb[]) command.addCommand(verbCommand(io, verb))
  command.addCommand(gateUpgradeCommand(io))
  command.addCommand(gateWatchCommand(io))
  command.addCommand(gateConfigCommand(io))
  command.addCommand(metricsCommand(io))
  return command.addCommand(workerCommand(), { hidden: true })
}

function verbCommand(io: Io, verb: Verb): Command {
  const command = new Command(verb)
    .description(verbs[verb])
    .argument('[prefix]', 'the prefix; the current folder when absent')
    .option('--prefix <folder>', 'the prefix, another way to name it')
  if (verb !== 'status')
    command.option('--reason <text>', 'why, for whoever looks at it', 'asked for on the command line')
  if (verb !== 'status' && verb !== 'pass') {
    command.option('--for <duration>', 'how long it lasts without further word, such as 10m; then requests just pass')
  }
  return command.action(async (folder: string | undefined) => {
    const options = command.optsWithGlobals<VerbOptions>()
    process.exitCode = await runCommand(io, 'gate', options, async tools => {
      const { gate } = await import('../flow/gate.ts')
      const reason = options.reason ?? ''
      await gate({ prefix: folder ?? options.prefix ?? io.cwd, verb, reason, lastsMs: duration(options.for) }, tools)
    })
  })
}

function metricsCommand(io: Io): Command {
  const command = new Command('metrics')
    .description('Print what the gate has counted, as Prometheus reads it.')
    .argument('[prefix]', 'the prefix; the current folder when absent')
    .option('--prefix <folder>', 'the prefix, another way to name it')
  return command.action(async (folder: string | undefined) => {
    const options = command.optsWithGlobals<VerbOptions>()
    process.exitCode = await runCommand(io, 'gate metrics', options, async () => {
      const { gateMetrics } = await import('../flow/gate.ts')
      io.stdout.write(await gateMetrics({ prefix: folder ?? options.prefix ?? io.cwd }))
    })
  })
}

function duration(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const durationMs = parseDuration(text)
  if (durationMs !== undefined) return durationMs
  throw new ReleaseError('USAGE', `--for ${text} is not a duration`, { hint: 'write it as 250ms, 25s, 10m or 2h' })
}

/** What `cutover serve` runs in mode handover while the application is away; not for people. */
function workerCommand(): Command {
  return new Command('hold-worker').description('Hold requests for a serving process.').action(async () => {
    const { runHoldWorker } = await import('../gate/drivers/hold-worker.ts')
    await runHoldWorker({
      send: report => void process.send?.(report),
      onOrder: take => void process.on('message', take),
      onClosed: call => void process.once('disconnect', call),
    })
    process.disconnect?.()
  })
}
