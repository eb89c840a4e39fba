import { ReleaseError } from '../../src/core/error.ts'
import type { Opened, OpenOptions } from '../../src/sys/http.ts'

/** How a place in memory answers; changed between requests by the test. */
export interface MemoryBehaviour {
  isMissing?: boolean
  /** Answer 200 with the whole, whatever range is asked for. */
  ignoresRanges?: boolean
  /** Break off after so many bytes of an answer, so many times. */
  breakAfterBytes?: number
  breaksLeft?: number
  /** Fail before anything is answered. */
  failure?: ReleaseError
  /** Send on after the end. */
  isEndless?: boolean
}

/** Bytes that are opened like an address, without a server. */
export class MemoryPlace {
  readonly behaviour: MemoryBehaviour = {}
  /** The ranges asked for, `start-end` with the end not included. */
  readonly requests: string[] = []
  /** What was read of all answers. */
  sentBytes = 0
  /** Answers whose reader has not let go of them. */
  openAnswers = 0
  bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  readonly open = async ({ range, signal }: OpenOptions): Promise<Opened> => {
    signal?.throwIfAborted()
    const { behaviour, bytes } = this
    this.requests.push(range === undefined ? 'all' : `${range.start}-${range.end}`)
    await Promise.resolve()
    if (behaviour.failure !== undefined) throw behaviour.failure
    if (behaviour.isMissing) return undefined
    const isRanged = range !== undefined && !behaviour.ignoresRanges
    const content = isRanged ? bytes.subarray(range.start, range.end) : bytes
    this.openAnswers += 1
    return {
      status: isRanged ? 206 : 200,
      sizeBytes: content.byteLength,
      etag: undefined,
      body: this.#send(content, signal),
    }
  }

  #send(content: Buffer, signal: AbortSignal | undefined): AsyncIterable<Uint8Array> {
    const pieces = this.#pieces(content, signal)
    let isOpen = true
    const close = () => {
      if (isOpen) this.openAnswers -= 1
      isOpen = false
    }
    const next = async () => {
      try {
        const result = await pieces.next()
        if (result.done === true) close()
        return result
      } catch (caught) {
        close()
        throw caught
      }
    }
    const end = () => {
      close()
      return pieces.return(undefined)
    }
    return { [Symbol.asyncIterator]: () => ({ next, return: end }) }
  }

  async *#pieces(content: Buffer, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    const { behaviour } = this
    const isBroken = (behaviour.breaksLeft ?? 0) > 0
    if (isBroken) behaviour.breaksLeft = behaviour.breaksLeft! - 1
    const end = isBroken ? Math.min(content.byteLength, behaviour.breakAfterBytes ?? 0) : content.byteLength
    for (let at = 0; at < end; at += 65_536) {
      const piece = content.subarray(at, Math.min(end, at + 65_536))
      // Others get their turn, as with a network.
      await Promise.resolve()
      signal?.throwIfAborted()
      this.sentBytes += piece.byteLength
      yield piece
    }
    if (isBroken) throw new ReleaseError('HTTP_FAILED', 'the connection broke', { details: { errno: 'ECONNRESET' } })
    while (behaviour.isEndless === true) {
      signal?.throwIfAborted()
      await Promise.resolve()
      yield Buffer.alloc(65_536)
    }
  }
}
