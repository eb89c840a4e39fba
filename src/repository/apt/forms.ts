import type { AptCompression } from '../../trust/layout.ts'
import { gzipForm } from './gzip-form.ts'
import { xzForm } from './xz-form.ts'
import { zstdForm } from './zstd-form.ts'

/** A part of a compressed file that can be used in the next one as it is. */
export interface Piece {
  readonly bytes: Buffer
  /** Of its text. */
  readonly plainSizeBytes: number
}

/**
 * A way to store an index: a file made of pieces, one for each chunk of its text.
 *
 * Post: the same texts give the same bytes, with one version of the compressor.
 */
export interface IndexForm {
  readonly extension: string
  readonly mediaType: string
  /** Compress texts, each into a piece. Pre: none is empty. */
  readonly compress: (texts: readonly Buffer[]) => Promise<readonly Piece[]>
  /** Put pieces together into one file that any reader of the format takes. */
  readonly join: (pieces: readonly Piece[]) => Buffer
  /** Take a file apart again without decoding it; undefined when it is none of ours. Pre: the bytes were verified. */
  readonly walk: (file: Buffer) => readonly Piece[] | undefined
  /** Decode a piece. Absent where that takes another program. */
  readonly expand?: (piece: Piece) => Buffer
}

/** The text itself. It cannot be taken apart without being read. */
export const plainForm: IndexForm = {
  extension: '',
  mediaType: 'text/plain',
  compress: async texts => texts.map(text => ({ bytes: text, plainSizeBytes: text.byteLength })),
  join: pieces => Buffer.concat(pieces.map(piece => piece.bytes)),
  walk: () => undefined,
}

/** The forms beside the plain one. */
export const compressedForms: Readonly<Record<AptCompression, IndexForm>> = {
  gz: gzipForm,
  zst: zstdForm,
  xz: xzForm,
}
