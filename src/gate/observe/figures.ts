import { Histogram, type HistogramCounts, sumHistograms } from './histogram.ts'
import type { Observer, Outcome, RequestRecord } from './observer.ts'

/** How many requests ended in one way with one status. */
export interface RequestCount {
  readonly outcome: Outcome
  readonly status: number
  readonly count: number
}

/** What a gate has seen of its requests since it started. Plain data: it travels between processes. Sizes of bodies in bytes. */
export interface GateFigures {
  readonly requests: readonly RequestCount[]
  /** From arrival to the end of the answer, of what the application answered. */
  readonly durations: HistogramCounts
  /** How long requests were held that were. */
  readonly waits: HistogramCounts
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly bypassed: number
  readonly canary: number
}

const statuses = 600

/** Count requests by what came of them. Costs a request a few additions. */
export class Figures implements Observer {
  readonly #requests = new Map<Outcome, Float64Array>()
  readonly #durations = new Histogram()
  readonly #waits = new Histogram()
  #receivedBytes = 0
  #sentBytes = 0
  #bypassed = 0
  #canary = 0

  finished(record: RequestRecord): void {
    let counts = this.#requests.get(record.outcome)
    if (counts === undefined) {
      counts = new Float64Array(statuses)
      this.#requests.set(record.outcome, counts)
    }
    counts[Math.min(record.status, statuses - 1)]! += 1
    if (record.outcome === 'answered') this.#durations.record(record.durationMs)
    if (record.waitedMs > 0) this.#waits.record(record.waitedMs)
    this.#receivedBytes += record.receivedBytes
    this.#sentBytes += record.sentBytes
    if (record.bypassed) this.#bypassed += 1
    if (record.isCanary) this.#canary += 1
  }

  snapshot(): GateFigures {
    return {
      requests: [...this.#requests].flatMap(([outcome, counts]) => countsOf(outcome, counts)),
      durations: this.#durations.snapshot(),
      waits: this.#waits.snapshot(),
      receivedBytes: this.#receivedBytes,
      sentBytes: this.#sentBytes,
      bypassed: this.#bypassed,
      canary: this.#canary,
    }
  }
}

/** Add up what several gates saw that stand at one address, one after the other or at once. */
export function sumFigures(all: readonly GateFigures[]): GateFigures {
  const requests = new Map<string, RequestCount>()
  for (const each of all.flatMap(figures => figures.requests)) {
    const key = `${each.outcome} ${each.status}`
    requests.set(key, { ...each, count: each.count + (requests.get(key)?.count ?? 0) })
  }
  const sum = (pick: (figures: GateFigures) => number) => all.reduce((total, figures) => total + pick(figures), 0)
  return {
    requests: [...requests.values()],
    durations: sumHistograms(all.map(figures => figures.durations)),
    waits: sumHistograms(all.map(figures => figures.waits)),
    receivedBytes: sum(figures => figures.receivedBytes),
    sentBytes: sum(figures => figures.sentBytes),
    bypassed: sum(figures => figures.bypassed),
    canary: sum(figures => figures.canary),
  }
}

function countsOf(outcome: Outcome, counts: Float64Array): readonly RequestCount[] {
  const found: RequestCount[] = []
  counts.forEach((count, status) => {
    if (count > 0) found.push({ outcome, status, count })
  })
  return found
}
