import { createHash } from 'node:crypto'
import { type Digest, hexOf } from '../../core/digest.ts'
import type { Content } from '../target.ts'

const mebibyte = 1024 * 1024

/** Larger objects are sent in parts, so that a killed upload goes on where it was. */
export const largestWholeBytes = 8 * mebibyte

/** An object has no more parts than this. Source: Amazon S3 User Guide, "Multipart upload limits": 10,000. */
const mostParts = 9000

/** Choose the size of an object's parts: it follows from the object's, so that every publisher cuts it in the same way. */
export function partBytesOf(sizeBytes: number): number {
  return Math.max(largestWholeBytes, Math.ceil(sizeBytes / mostParts / mebibyte) * mebibyte)
}

/** Write a digest as S3 does. */
export function base64Of(digest: Digest): string {
  return Buffer.from(hexOf(digest), 'hex').toString('base64')
}

/** Read the SHA-256 of a whole object; undefined when there is none, or one of its parts' sums. */
export function digestOfSum(checksum: string | undefined): Digest | undefined {
  if (checksum === undefined || !/^[A-Za-z0-9+/]{43}=$/.test(checksum)) return undefined
  return `sha256:${Buffer.from(checksum, 'base64').toString('hex')}`
}

/** Cut bytes into parts of one size; the last may be smaller. */
export async function* cut(pieces: AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = []
  let heldBytes = 0
  for await (const piece of pieces) {
    let rest = piece
    while (heldBytes + rest.byteLength >= partBytes) {
      const taken = rest.subarray(0, partBytes - heldBytes)
      yield Buffer.concat([...held, taken], partBytes)
      rest = rest.subarray(taken.byteLength)
      held = []
      heldBytes = 0
    }
    if (rest.byteLength > 0) held.push(rest)
    heldBytes += rest.byteLength
  }
  if (heldBytes > 0) yield Buffer.concat(held, heldBytes)
}

/** Digest a part, as S3 writes it. */
export function sumOf(part: Uint8Array): string {
  return createHash('sha256').update(part).digest('base64')
}

/**
 * Compute what S3 keeps as the checksum of an object that was sent in parts.
 *
 * Shape: the SHA-256 of the parts' SHA-256, in base64, `-` and their number. Source: Amazon S3 User Guide, "Checksums of multipart uploads".
 */
export async function compositeOf(content: Content): Promise<string> {
  const whole = createHash('sha256')
  let parts = 0
  for await (const part of cut(content.open(), partBytesOf(content.sizeBytes))) {
    whole.update(createHash('sha256').update(part).digest())
    parts += 1
  }
  return `${whole.digest('base64')}-${parts}`
}
