import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { brokenPromises, type Load, type LoadReport, startLoad } from './load.ts'

const usage = `usage: node scripts/load/load.ts URL [options]

  --seconds N             how long; until Ctrl-C when absent
  --until-input-ends      until standard input ends (for programs that start this one)
  --readers N             clients that read lists (8)
  --writers N             clients that create notes (2)
  --slow-readers N        clients with slow requests (1)
  --pause-ms N            pause of a client between two requests (10)
  --json                  a line of JSON each second, and the report as the last one
`

/** Run a load from the command line: exit code 0 when every promise held, 1 when not, 2 for wrong usage. */
export async function main(args: readonly string[]): Promise<void> {
  const parsed = parse(args)
  const url = parsed?.positionals[0]
  if (parsed === undefined || url === undefined) {
    process.stderr.write(usage)
    process.exitCode = 2
    return
  }
  const { values } = parsed
  const load = startLoad({
    url: url.replace(/\/$/, ''),
    readers: Number(values.readers),
    writers: Number(values.writers),
    slowReaders: Number(values['slow-readers']),
    pauseMs: Number(values['pause-ms']),
  })
  const ticker = values.json ? tellEachSecond(load) : undefined
  await untilEnd(values.seconds === undefined ? undefined : Number(values.seconds), values['until-input-ends'])
  clearInterval(ticker)
  const report = await load.stop()
  process.stdout.write(values.json ? `${JSON.stringify({ kind: 'report', report })}\n` : formatReport(report))
  process.exitCode = brokenPromises(report).length === 0 ? 0 : 1
}

function parse(args: readonly string[]) {
  const count = (value: string) => ({ type: 'string', default: value }) as const
  const flag = { type: 'boolean', default: false } as const
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        seconds: { type: 'string' },
        'until-input-ends': flag,
        readers: count('8'),
        writers: count('2'),
        'slow-readers': count('1'),
        'pause-ms': count('10'),
        json: flag,
      },
    })
  } catch (caught) {
    process.stderr.write(`${(caught as Error).message}\n`)
    return undefined
  }
}

function tellEachSecond(load: Load): NodeJS.Timeout {
  const tell = () => process.stdout.write(`${JSON.stringify({ kind: 'snapshot', snapshot: load.snapshot() })}\n`)
  return setInterval(tell, 1000)
}

async function untilEnd(seconds: number | undefined, untilInputEnds: boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  process.once('SIGINT', resolve)
  process.once('SIGTERM', resolve)
  if (untilInputEnds) process.stdin.on('end', resolve).resume()
  await (seconds === undefined ? promise : Promise.race([promise, delay(seconds * 1000)]))
}

function formatReport(report: LoadReport): string {
  const { latency, notes, stream } = report
  const ms = (value: number) => `${value.toFixed(1)} ms`
  const rows = [
    ['requests sent', String(report.sent)],
    ['failed', String(report.failed)],
    ['retried', String(report.retried)],
    ['backed off', String(report.backedOff)],
    ['half of them within', ms(latency.p50Ms)],
    ['99 of 100 within', ms(latency.p99Ms)],
    ['longest', ms(latency.longestMs)],
    ['notes created', `${notes.created}, ${notes.lost} lost, ${notes.repeated} repeated`],
    [
      'events',
      `${stream.events}, ${stream.missed} missed, ${stream.repeated} repeated, ${stream.reconnects} reconnects`,
    ],
  ] as const
  const failures = report.failures.map(({ atMs, request, reason }) => `  at ${ms(atMs)}: ${request}: ${reason}\n`)
  return `${rows.map(([name, value]) => `${name.padEnd(22)}${value}\n`).join('')}${failures.join('')}`
}
