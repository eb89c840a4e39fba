import { openEncoder } from './codec.ts'
import type { Codec } from './manifest.ts'

/** How many segments are compressed at once. What comes out does not depend on it. */
const laneCount = 2

/** Compressors side by side. */
export interface Lanes {
  /** Compress a segment alone. Pre: `bytes` stay as they are until it resolves. */
  readonly encode: (bytes: Uint8Array) => Promise<Buffer>
  readonly close: () => void
}

/** Open the compressors that share the work of a payload; segments go to them in turn. */
export async function openLanes(codec: Codec): Promise<Lanes> {
  const encoders = await Promise.all(Array.from({ length: laneCount }, () => openEncoder(codec)))
  const last: Promise<unknown>[] = encoders.map(() => Promise.resolve())
  let turn = 0
  const encode = (bytes: Uint8Array): Promise<Buffer> => {
    const lane = turn
    turn = (turn + 1) % laneCount
    const encoded = last[lane]!.then(() => encoders[lane]!.encode(bytes))
    // Whoever asked hears of a failure; the lane only has to know that it is free.
    last[lane] = encoded.catch(() => undefined)
    return encoded
  }
  const close = () => {
    for (const encoder of encoders) encoder.close()
  }
  return { encode, close }
}
