/** Upper bounds of the buckets, in milliseconds: from a fast answer to the longest hold that is usual. */
export const bucketBoundsMs = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 60_000] as const

/** Times as they fell into buckets. Shape: a count for each bound and one for what is longer, not cumulated; plain data. */
export interface HistogramCounts {
  readonly counts: readonly number[]
  readonly sumMs: number
}

/** Count times by how long they are. */
export class Histogram {
  readonly #counts: number[] = emptyCounts()
  #sumMs = 0

  record(durationMs: number): void {
    // Short times are the usual ones: from the left, few comparisons.
    let bucket = 0
    while (bucket < bucketBoundsMs.length && durationMs > bucketBoundsMs[bucket]!) bucket += 1
    this.#counts[bucket]! += 1
    this.#sumMs += durationMs
  }

  snapshot(): HistogramCounts {
    return { counts: [...this.#counts], sumMs: this.#sumMs }
  }
}

/** Add up what several histograms counted. */
export function sumHistograms(all: readonly HistogramCounts[]): HistogramCounts {
  const counts = emptyCounts()
  let sumMs = 0
  for (const each of all) {
    each.counts.forEach((count, bucket) => {
      counts[bucket]! += count
    })
    sumMs += each.sumMs
  }
  return { counts, sumMs }
}

function emptyCounts(): number[] {
  return new Array<number>(bucketBoundsMs.length + 1).fill(0)
}
