import { ReleaseError } from '../core/error.ts'

/** Read the whole of a body from a place. Errors: HTTP_TOO_LARGE beyond `maxBytes`; the body's own. */
export async function readWhole(body: AsyncIterable<Uint8Array>, maxBytes: number, place: string): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let sizeBytes = 0
  for await (const piece of body) {
    sizeBytes += piece.byteLength
    if (sizeBytes > maxBytes)
      throw new ReleaseError('HTTP_TOO_LARGE', `${place} is longer than the ${maxBytes} bytes that it may have`, {
        details: { url: place, maxBytes },
      })
    pieces.push(piece)
  }
  return Buffer.concat(pieces, sizeBytes)
}
