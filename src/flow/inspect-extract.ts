import fs from 'node:fs'
import { Digester } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { decodeSegment } from '../payload/decode.ts'
import { neededSegments } from '../payload/extract.ts'
import { FileWriter } from '../payload/file-writer.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import { isPayloadFile, type PayloadFile } from '../payload/payload-file.ts'
import { openSegmentSource } from '../payload/source.ts'
import type { PayloadPlace } from './inspect-open.ts'

/** A payload whose segments can be read. */
export interface OpenedPayload {
  readonly place: string
  readonly manifest: PayloadManifest
  readonly content: PayloadPlace
}

/**
 * Find a file of a payload by its path in it, or by where it would be on a system.
 *
 * Errors: INSPECT_NO_FILE (no such path, or a folder or link).
 */
export function findFile({ place, manifest }: OpenedPayload, wanted: string): PayloadFile {
  const { files, root } = manifest
  const plain = wanted.replace(/^\.?\/+/, '').replace(/\/+$/, '')
  const inside = plain.startsWith(`${root}/`) ? plain.slice(root.length + 1) : plain
  const entry = files.find(({ path }) => path === plain) ?? files.find(({ path }) => path === inside)
  if (entry !== undefined && isPayloadFile(entry)) return entry
  const details = { place, path: wanted }
  if (entry?.type === 'symlink') {
    throw new ReleaseError('INSPECT_NO_FILE', `${entry.path} in ${place} is a link to ${entry.linkTarget}`, {
      hint: 'extract what it leads to',
      details,
    })
  }
  const found = entry === undefined ? `has no file ${wanted}` : `has a folder at ${entry.path}, not a file`
  throw new ReleaseError('INSPECT_NO_FILE', `${place} ${found}`, { details })
}

/** Hand on the content of a file, decoding the segments that it is in and no other; the answer is how many bytes these took. */
async function readContent(
  { manifest, content }: OpenedPayload,
  file: PayloadFile,
  { take, signal }: { readonly take: (piece: Buffer) => Promise<void> | void; readonly signal: AbortSignal },
): Promise<number> {
  const source = openSegmentSource({ ...content, manifest })
  for await (const { segment, bytes } of source.read(neededSegments(manifest, [file]), signal)) {
    const tar = await decodeSegment(manifest.codec, bytes, segment)
    const start = Math.max(0, file.tarOffset - segment.tarOffset)
    await take(tar.subarray(start, Math.max(start, file.tarOffset + file.sizeBytes - segment.tarOffset)))
  }
  return source.fetchedBytes
}

/**
 * Write one file of a payload, with its mode and time.
 *
 * Post: what stood there before is replaced by a file whose digest is the manifest's. Crash: a `.part` file beside it.
 * Errors: SEGMENT_DIGEST, SEGMENT_DECODE, FILE_DIGEST, FILE_IO, FILE_NO_SPACE, those of the source.
 */
export async function extractFile(
  payload: OpenedPayload,
  file: PayloadFile,
  { output, signal }: { readonly output: string; readonly signal: AbortSignal },
): Promise<number> {
  const part = `${output}.part`
  const options = { mtimeSeconds: payload.manifest.sourceDateEpoch, mask: process.umask() }
  let writer: FileWriter | undefined
  try {
    const opened = new FileWriter(file, part, options)
    writer = opened
    let leftBytes = file.sizeBytes
    const take = (piece: Buffer) => {
      leftBytes -= piece.byteLength
      opened.write(piece, leftBytes === 0)
    }
    const fetchedBytes = await readContent(payload, file, { take, signal })
    fs.renameSync(part, output)
    return fetchedBytes
  } catch (caught) {
    if (writer !== undefined) fs.rmSync(part, { force: true })
    throw toReleaseError(caught)
  }
}

/**
 * Hand on the content of one file to a writer that cannot take anything back.
 *
 * Post: every piece had the digests of its segment before it was handed on. Errors: FILE_DIGEST (after the last piece), those of {@link extractFile}.
 */
export async function sendFile(
  payload: OpenedPayload,
  file: PayloadFile,
  { write, signal }: { readonly write: (piece: Uint8Array) => Promise<void>; readonly signal: AbortSignal },
): Promise<number> {
  const digester = new Digester()
  const take = async (piece: Buffer) => {
    digester.update(piece)
    await write(piece)
  }
  const fetchedBytes = await readContent(payload, file, { take, signal })
  const found = digester.digest()
  if (found === file.digest) return fetchedBytes
  throw new ReleaseError('FILE_DIGEST', `${file.path} has ${found} in the payload, expected ${file.digest}`, {
    details: { path: file.path, found, expected: file.digest },
  })
}
