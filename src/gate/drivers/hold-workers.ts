import { ReleaseError } from '../../core/error.ts'
import { startWorker, type Worker } from '../../sys/process.ts'
import type { GateCounters } from '../control/protocol.ts'
import type { Address } from '../front/address.ts'
import type { FrontSettings } from '../front/settings.ts'
import type { GateMode } from '../machine/machine.ts'
import { type GateFigures, sumFigures } from '../observe/figures.ts'
import { finalCounters, newTally, sumCounters } from '../observe/tally.ts'
import type { WorkerOrder, WorkerReport } from './hold-worker.ts'

const answerTimeoutMs = 10_000

/** One hold worker as its serving process sees it. */
interface Hold {
  readonly worker: Worker
  counters: GateCounters
  figures: GateFigures
  accepting: boolean
  /** Called with the next report that is no count; then forgotten. */
  heard: ((report: WorkerReport) => void) | undefined
}

/** The hold workers of a serving process: at most one accepts; those before it see their connections to the end. */
export class HoldWorkers {
  readonly #argv: readonly [string, ...string[]]
  readonly #descriptors: readonly number[]
  readonly #lost: () => void
  readonly #holds = new Set<Hold>()
  #past: GateCounters = newTally()
  #pastFigures: GateFigures = sumFigures([])

  /** `lost` is called when the one that accepts has ended by itself. */
  constructor(argv: readonly [string, ...string[]], descriptors: readonly number[], lost: () => void) {
    this.#argv = argv
    this.#descriptors = descriptors
    this.#lost = lost
  }

  /** Have a worker accept, in a mode. Errors: SERVICE_START_FAILED. */
  async accept(settings: FrontSettings, mode: GateMode): Promise<void> {
    if (this.#accepting() !== undefined) {
      this.enter(mode)
      return
    }
    const worker = await startWorker(this.#argv, this.#descriptors)
    const hold: Hold = { worker, counters: newTally(), figures: sumFigures([]), accepting: false, heard: undefined }
    this.#follow(hold)
    const report = await this.#ask(hold, { kind: 'accept', settings, mode, sockets: this.#descriptors.length })
    hold.accepting = report.kind === 'accepting'
    if (hold.accepting) return
    worker.kill()
    throw new ReleaseError('SERVICE_START_FAILED', `the process that holds requests did not begin: ${failure(report)}`)
  }

  /** Tell every worker the mode. */
  enter(mode: GateMode): void {
    this.#tellAll({ kind: 'enter', mode })
  }

  /** Have nobody accept any more. Post: connections that come now wait in the socket's queue. */
  async stopAccepting(): Promise<void> {
    const hold = this.#accepting()
    if (hold === undefined) return
    hold.accepting = false
    const report = await this.#ask(hold, { kind: 'stop-accepting' })
    if (report.kind !== 'stopped-accepting') hold.worker.kill()
  }

  /** Have the workers hand over what they hold to the application, of each socket at its address. Pre: none of them accepts. */
  release(addresses: readonly Address[]): void {
    this.#tellAll({ kind: 'release', addresses })
  }

  endStreams(): void {
    this.#tellAll({ kind: 'end-streams' })
  }

  counters(): GateCounters {
    return sumCounters([this.#past, ...[...this.#holds].map(hold => hold.counters)])
  }

  /** What the workers have seen of requests. */
  figures(): GateFigures {
    return sumFigures([this.#pastFigures, ...[...this.#holds].map(hold => hold.figures)])
  }

  /** Wait until every worker has seen its connections to the end. */
  async ended(): Promise<void> {
    await Promise.all([...this.#holds].map(({ worker }) => worker.exited))
  }

  killAll(): void {
    for (const hold of this.#holds) hold.worker.kill()
  }

  #accepting(): Hold | undefined {
    return [...this.#holds].find(hold => hold.accepting)
  }

  #tellAll(order: WorkerOrder): void {
    for (const hold of this.#holds) hold.worker.send(order)
  }

  #follow(hold: Hold): void {
    this.#holds.add(hold)
    hold.worker.onMessage(message => {
      const report = message as WorkerReport
      if (report.kind === 'counters') {
        hold.counters = report.counters
        hold.figures = report.figures
      } else hold.heard?.(report)
    })
    void hold.worker.exited.then(() => {
      this.#holds.delete(hold)
      this.#past = sumCounters([this.#past, finalCounters(hold.counters)])
      this.#pastFigures = sumFigures([this.#pastFigures, hold.figures])
      hold.heard?.({ kind: 'failed', message: 'it ended' })
      if (hold.accepting) this.#lost()
    })
  }

  #ask(hold: Hold, order: WorkerOrder): Promise<WorkerReport> {
    return new Promise(resolve => {
      const finish = (report: WorkerReport) => {
        clearTimeout(timer)
        hold.heard = undefined
        resolve(report)
      }
      const timer = setTimeout(
        () => finish({ kind: 'failed', message: `no answer within ${answerTimeoutMs} ms` }),
        answerTimeoutMs,
      )
      hold.heard = finish
      hold.worker.send(order)
    })
  }
}

function failure(report: WorkerReport): string {
  return report.kind === 'failed' ? report.message : `it said ${report.kind}`
}
