import { type Digest, Digester } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import { isPassingFailure, longestAttempts } from '../../sys/retry.ts'
import type { Content, StoredObject } from '../target.ts'
import { assertSent, tooLarge } from './conflict.ts'
import type { TransferTools } from './tools.ts'

/** Digest bytes as they come. */
export async function digestPieces(pieces: AsyncIterable<Uint8Array>): Promise<StoredObject> {
  const digester = new Digester()
  for await (const piece of pieces) digester.update(piece)
  return { sizeBytes: digester.sizeBytes, digest: digester.digest() }
}

/** Collect bytes. Errors: REPOSITORY_DAMAGED beyond `maxBytes`. */
export async function collectPieces(
  pieces: AsyncIterable<Uint8Array>,
  maxBytes: number,
  place: { readonly target: string; readonly key: string },
): Promise<Buffer> {
  const collected: Uint8Array[] = []
  let sizeBytes = 0
  for await (const piece of pieces) {
    sizeBytes += piece.byteLength
    if (sizeBytes > maxBytes) throw tooLarge(place.target, place.key, maxBytes)
    collected.push(piece)
  }
  return Buffer.concat(collected, sizeBytes)
}

/** An object that is being read. */
export interface OpenedObject {
  readonly body: AsyncIterable<Uint8Array>
  /** Tells this state of the object from every other; without a strong one, reading cannot go on after a cut. */
  readonly etag: string | undefined
}

/**
 * Hand on the bytes of an object, going on where its connection was cut.
 *
 * Errors: what `resume` throws; the failure itself when there was no progress in several attempts.
 */
export async function* resumedPieces(
  first: OpenedObject,
  resume: (offset: number, etag: string) => Promise<OpenedObject>,
  { tools, signal }: { readonly tools: TransferTools; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<Uint8Array> {
  // A weak validator does not tell that the bytes are the same.
  const etag = first.etag?.startsWith('"') === true ? first.etag : undefined
  let { body } = first
  let offset = 0
  for (let failures = 0; ; ) {
    try {
      for await (const piece of body) {
        offset += piece.byteLength
        failures = 0
        yield piece
      }
      return
    } catch (caught) {
      signal?.throwIfAborted()
      failures += 1
      if (failures >= longestAttempts || !isPassingFailure(caught) || etag === undefined) throw caught
      await tools.wait(200 * failures, signal)
      body = (await resume(offset, etag)).body
    }
  }
}

/**
 * Hand on the bytes of an object that are to be sent: within the bandwidth, counted, and checked before the last of them is taken.
 *
 * Errors: RELEASE_DAMAGED, before a server could take too few or wrong bytes for the whole; the signal's reason.
 */
export async function* sentPieces(
  key: string,
  content: Content,
  { bandwidth }: TransferTools,
): AsyncGenerator<Uint8Array> {
  const digester = new Digester()
  const pieces = bandwidth === undefined ? content.open() : bandwidth.limit(content.open(), content.signal)
  let kept: Uint8Array | undefined
  for await (const piece of pieces) {
    content.signal?.throwIfAborted()
    digester.update(piece)
    if (kept !== undefined) yield kept
    kept = piece
    if (digester.sizeBytes > content.sizeBytes) throw damaged(key, digester.sizeBytes, content)
    content.onBytes?.(digester.sizeBytes)
  }
  assertSent(key, digester.digest(), content.digest)
  if (kept !== undefined) yield kept
}

function damaged(key: string, sizeBytes: number, content: { readonly sizeBytes: number; readonly digest: Digest }) {
  return new ReleaseError('RELEASE_DAMAGED', `the bytes for ${key} are more than the ${content.sizeBytes} expected`, {
    details: { key, sizeBytes, expected: content.digest },
  })
}
