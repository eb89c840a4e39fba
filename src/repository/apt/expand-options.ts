import type { Piece } from './forms.ts'

/** Say how a piece is decoded: no longer than it says, and into one buffer, for by default it would be put together from many small ones. */
export function expandOptions({ plainSizeBytes }: Pick<Piece, 'plainSizeBytes'>): {
  readonly maxOutputLength: number
  readonly chunkSize: number
} {
  return { maxOutputLength: Math.max(plainSizeBytes, 1), chunkSize: Math.max(plainSizeBytes + 1, 64) }
}
