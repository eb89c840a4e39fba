import fs from 'node:fs'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import type { PlannedFile } from './plan.ts'

/** A file that is being packed, open for reading. */
export interface OpenContent {
  readonly file: PlannedFile
  readonly descriptor: number
}

/**
 * Read a file's content with one call, straight to its place in a tar.
 *
 * Pre: `into` has room for one byte more. Errors: PAYLOAD_CHANGED when the file is gone, not a file any more, or has another
 * size than the tree says; FILE_IO.
 */
export function readContent(file: PlannedFile, into: Buffer, at: number): void {
  const content = openContent(file)
  try {
    const { sizeBytes } = file.tar
    // One byte more than expected: a single call tells both the content and that it has not grown.
    const readBytes = attempt(() => fs.readSync(content.descriptor, into, at, sizeBytes + 1, null))
    if (readBytes > sizeBytes) throw changedError(file, 'it grew')
    readStretch(content, { into, at: at + readBytes, sizeBytes: sizeBytes - readBytes })
  } finally {
    fs.closeSync(content.descriptor)
  }
}

/** Open a file whose content is read piece by piece. Errors: as {@link readContent}. */
export function openContent(file: PlannedFile): OpenContent {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
  try {
    // Were it a pipe by now, opening it would wait for a writer.
    return { file, descriptor: fs.openSync(file.source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) }
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ELOOP', 'ENOTDIR', 'ENXIO')) {
      throw changedError(file, 'it is not a file any more', caught)
    }
    throw toReleaseError(caught)
  }
}

/** Read so many bytes, from where the file stands or from `position`. Errors: PAYLOAD_CHANGED when it is shorter; FILE_IO. */
export function readStretch(
  content: OpenContent,
  to: { readonly into: Buffer; readonly at: number; readonly sizeBytes: number; readonly position?: number },
): void {
  for (let done = 0; done < to.sizeBytes; ) {
    const position = to.position === undefined ? null : to.position + done
    const readBytes = attempt(() =>
      fs.readSync(content.descriptor, to.into, to.at + done, to.sizeBytes - done, position),
    )
    if (readBytes === 0) throw changedError(content.file, 'it shrank')
    done += readBytes
  }
}

/** Check that a file ends where it stands. Errors: PAYLOAD_CHANGED, FILE_IO. */
export function assertEnd(content: OpenContent): void {
  const beyond = attempt(() => fs.readSync(content.descriptor, Buffer.alloc(1), 0, 1, null))
  if (beyond !== 0) throw changedError(content.file, 'it grew')
}

/** Say that a file is not what the tree says of it any more. */
export function changedError(file: PlannedFile, what: string, cause?: unknown): ReleaseError {
  const message = `${file.source} changed while it was packed: ${what}, expected ${file.tar.sizeBytes} bytes`
  return new ReleaseError('PAYLOAD_CHANGED', message, { cause, details: { path: file.source } })
}

function attempt(read: () => number): number {
  try {
    return read()
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
