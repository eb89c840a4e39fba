import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type ClientTools, type CreatedNote, runReader, runSlowReader, runWriter } from './clients.ts'
import { followStream, type StreamClient, type StreamCounts } from './stream.ts'
import { type LoadCounts, type LoadFailure, type LoadLatency, type LoadSecond, Tally } from './tally.ts'
import { checkNotes, type NoteCounts } from './verify.ts'

/** What to put on a notes service. Times in milliseconds. */
export interface LoadOptions {
  /** Where the service is, without a slash at the end. */
  readonly url: string
  /** Clients that read lists, each on a keep-alive connection; 8 when absent. */
  readonly readers?: number
  /** Clients that create notes, likewise; 2 when absent. */
  readonly writers?: number
  /** Clients whose requests take `slowMs`; 1 when absent. */
  readonly slowReaders?: number
  readonly slowMs?: number
  /** The pause of a client between two requests, give or take a half; 10 when absent. */
  readonly pauseMs?: number
  /** How long a request may take before it counts as failed; 30,000 when absent. */
  readonly timeoutMs?: number
}

/** How a load stands. Times in milliseconds. */
export interface LoadSnapshot extends LoadCounts {
  readonly elapsedMs: number
  readonly longestMs: number
  readonly stream: StreamCounts
}

/** What became of a load. Times in milliseconds. */
export interface LoadReport extends LoadCounts {
  readonly durationMs: number
  readonly latency: LoadLatency
  readonly timeline: readonly LoadSecond[]
  /** The first failures, at most 50. */
  readonly failures: readonly LoadFailure[]
  readonly notes: NoteCounts
  readonly stream: StreamCounts & {
    /** Notes that were created without their event arriving. */
    readonly unannounced: number
  }
}

/** A load that runs. */
export interface Load {
  snapshot(): LoadSnapshot
  /** Finish the requests in flight, then check every note and event. Post: nothing of the load goes on. */
  stop(): Promise<LoadReport>
}

const eventsWaitMs = 5000

/** Put load on a notes service until it is stopped. The writers begin once the event stream is connected. */
export function startLoad(options: LoadOptions): Load {
  const { url, readers = 8, writers = 2, slowReaders = 1, slowMs = 400, pauseMs = 10, timeoutMs = 30_000 } = options
  const controller = new AbortController()
  const tally = new Tally(() => performance.now())
  const tools: ClientTools = { url, tally, signal: controller.signal, pauseMs, timeoutMs }
  const prefix = `load ${randomBytes(6).toString('hex')}`
  const created: CreatedNote[] = []
  const stream = followStream(`${url}/events`)

  const write = async (index: number) => {
    await Promise.race([stream.connected, aborted(controller.signal)])
    await runWriter(tools, { prefix: `${prefix}-${index}`, onCreated: note => created.push(note) })
  }
  const clients = [
    ...times(readers, () => runReader(tools)),
    ...times(slowReaders, () => runSlowReader(tools, slowMs)),
    ...times(writers, write),
  ]

  return {
    snapshot: () => ({
      ...tally.counts(),
      elapsedMs: tally.elapsedMs(),
      longestMs: tally.latency().longestMs,
      stream: stream.counts(),
    }),
    async stop() {
      controller.abort()
      await Promise.all(clients)
      const durationMs = tally.elapsedMs()
      const unannounced = await waitForEvents(stream, created)
      stream.stop()
      return {
        ...tally.counts(),
        durationMs,
        latency: tally.latency(),
        timeline: tally.timeline(),
        failures: tally.failures(),
        notes: await checkNotes({ url, prefix, created, timeoutMs }),
        stream: { ...stream.counts(), unannounced },
      }
    },
  }
}

/** Say which promises of an upgrade without failed requests a load saw broken. */
export function brokenPromises(report: LoadReport): readonly string[] {
  const counted = {
    'requests failed': report.failed,
    'requests had to be sent again': report.retried,
    'notes were lost': report.notes.lost,
    'notes were stored more than once': report.notes.repeated,
    'events were missed': report.stream.missed,
    'events came again': report.stream.repeated,
    'notes were never announced': report.stream.unannounced,
  } as const
  return Object.entries(counted).flatMap(([what, count]) => (count === 0 ? [] : [`${count} ${what}`]))
}

/** Wait until every created note has its event, within bounds; the answer is how many have none. */
async function waitForEvents(stream: StreamClient, created: readonly CreatedNote[]): Promise<number> {
  const deadlineMs = performance.now() + eventsWaitMs
  for (;;) {
    const missing = created.filter(note => !stream.hasSeen(note.id)).length
    if (missing === 0 || performance.now() >= deadlineMs) return missing
    await delay(20)
  }
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
}

if (import.meta.main) void import('./command.ts').then(({ main }) => main(process.argv.slice(2)))
