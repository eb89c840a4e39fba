import os from 'node:os'
import { openEncoder } from './codec.ts'
import type { Codec } from './manifest.ts'

/** How many threads libuv's pool has: more segments than that are not compressed at once. */
const mostLanes = 4

/** Compressors side by side. */
export interface Lanes {
  readonly count: number
  /** Compress a segment alone. Pre: `bytes` stay as they are until it resolves. */
  readonly encode: (bytes: Uint8Array) => Promise<Buffer>
  readonly close: () => void
}

/**
 * Open the compressors that share the work of a payload, one for each core; segments go to them in turn.
 *
 * What comes out does not depend on their number.
 */
export async function openLanes(codec: Codec, count = Math.min(os.availableParallelism(), mostLanes)): Promise<Lanes> {
  const encoders = await Promise.all(Array.from({ length: count }, () => openEncoder(codec)))
  const last: Promise<unknown>[] = encoders.map(() => Promise.resolve())
  let turn = 0
  const encode = (bytes: Uint8Array): Promise<Buffer> => {
    const lane = turn
    turn = (turn + 1) % count
    const encoded = last[lane]!.then(() => encoders[lane]!.encode(bytes))
    // Whoever asked hears of a failure; the lane only has to know that it is free.
    last[lane] = encoded.catch(() => undefined)
    return encoded
  }
  const close = () => {
    for (const encoder of encoders) encoder.close()
  }
  return { count, encode, close }
}
