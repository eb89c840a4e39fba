import type { GateCounters } from '../control/protocol.ts'

/** Counts of a gate since it started, open to be added to. */
export type Tally = { -readonly [Name in keyof GateCounters]: GateCounters[Name] }

/** Begin to count. */
export function newTally(): Tally {
  return {
    requests: 0,
    held: 0,
    released: 0,
    backedOff: 0,
    abandoned: 0,
    longestHoldMs: 0,
    inFlight: 0,
    streams: 0,
    heldNow: 0,
    heldBytes: 0,
  }
}

/** Add up the counts of several gates that stand at one address, one after the other or at once. */
export function sumCounters(all: readonly GateCounters[]): GateCounters {
  const sum = newTally()
  for (const counters of all) {
    for (const name of Object.keys(sum) as (keyof GateCounters)[]) {
      sum[name] = name === 'longestHoldMs' ? Math.max(sum[name], counters[name]) : sum[name] + counters[name]
    }
  }
  return sum
}

/** What remains of a gate's counts once it is gone: nothing is in flight or held there any more. */
export function finalCounters(counters: GateCounters): GateCounters {
  return { ...counters, inFlight: 0, streams: 0, heldNow: 0, heldBytes: 0 }
}
