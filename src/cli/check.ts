import { Command } from 'commander'
import { conditionCodes, renderFindings, type Threshold, worst } from '../core/condition.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { parseDuration } from '../core/quantity.ts'
import { systemClock } from '../sys/clock.ts'
import type { Io } from './io.ts'
import { type PrefixOptions, prefixFolder, withPrefix } from './prefix-options.ts'

interface Options extends PrefixOptions {
  readonly channel?: string
  readonly maintenance: string
  readonly lock: string
  readonly metadata: string
  readonly used: string
}

/** `cutover check`: a plugin of monitoring systems. */
export function checkCommand(io: Io): Command {
  const command = withPrefix(new Command('check'))
    .description(
      'Tell a monitoring system whether all is well with a prefix, without asking the repository. Exit code 0 ok, 1 warning, 2 critical, 3 unknown; a line with measures, then one for each thing that was looked at. Limits are WARNING,CRITICAL.',
    )
    .option('--channel <name>', 'whose newest release is wanted; the most stable one when absent')
    .option('--maintenance <limits>', 'how long the gate may let nobody through', '5m,15m')
    .option('--lock <limits>', 'how long a command may be at work', '15m,1h')
    .option('--metadata <limits>', 'how long ago the repository may have been read', '7d,30d')
    .option('--used <limits>', 'how much of the file system may be used, in percent', '85,95')
  return command.action(async () => {
    const options = command.optsWithGlobals<Options>()
    process.exitCode = await runCheck(options, io)
  })
}

/** Post: resolves with the exit code; a prefix that cannot be looked at is unknown, as is a limit that is none. */
async function runCheck(options: Options, io: Io): Promise<number> {
  try {
    const limits = {
      maintenanceMs: durations('--maintenance', options.maintenance),
      lockMs: durations('--lock', options.lock),
      metadataMs: durations('--metadata', options.metadata),
      usedPercent: limitsOf('--used', options.used, percent, '85,95'),
    }
    const { check } = await import('../flow/check.ts')
    const { channel } = options
    const result = await check({ prefix: prefixFolder(options, io), channel, limits }, { clock: systemClock })
    const condition = worst(result.findings.map(finding => finding.condition))
    const text = options.json
      ? JSON.stringify({ kind: 'run-done', command: 'check', changed: false, condition, result })
      : renderFindings(result.application.toUpperCase(), `${result.active} is active`, result.findings)
    io.stdout.write(`${text}\n`)
    return conditionCodes[condition]
  } catch (caught) {
    const error = toReleaseError(caught)
    const text = options.json
      ? JSON.stringify({ kind: 'run-failed', command: 'check', condition: 'unknown', error })
      : `CUTOVER UNKNOWN: ${error.code}: ${error.message}`
    io.stdout.write(`${text}\n`)
    return conditionCodes.unknown
  }
}

const durations = (option: string, text: string) => limitsOf(option, text, parseDuration, '5m,15m')

function limitsOf(
  option: string,
  text: string,
  parse: (text: string) => number | undefined,
  example: string,
): Threshold {
  const [warning, critical, more] = text.split(',').map(parse)
  if (warning !== undefined && critical !== undefined && more === undefined && warning <= critical) {
    return { warning, critical }
  }
  throw new ReleaseError('USAGE', `${option} ${text} are no limits`, { hint: `write them as ${option} ${example}` })
}

function percent(text: string): number | undefined {
  return /^\d{1,3}$/.test(text) && Number(text) <= 100 ? Number(text) : undefined
}
