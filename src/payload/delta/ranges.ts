import fs from 'node:fs'
import { isErrno, ReleaseError, toReleaseError } from '../../core/error.ts'

/** A stretch of a file on disk. */
export interface FileRange {
  readonly file: string
  readonly offset: number
  readonly sizeBytes: number
}

/** Read stretches of files, one behind the other. Errors: FILE_IO, DELTA_BASE_MISMATCH when a file is no file, gone or too short. */
export function readRanges(ranges: readonly FileRange[]): Buffer {
  return readBehind(ranges, 0)
}

/**
 * Read stretches of files as a dictionary.
 *
 * Shape: a zero byte stands before them, for content that begins with the magic number of zstd's own dictionaries would be taken for one.
 * Source: zstd.h, ZSTD_CCtx_loadDictionary (ZSTD_dct_auto). Errors: those of {@link readRanges}.
 */
export function readDictionary(ranges: readonly FileRange[]): Buffer {
  return readBehind(ranges, 1)
}

function readBehind(ranges: readonly FileRange[], start: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(ranges.reduce((sum, range) => sum + range.sizeBytes, start)).fill(0, 0, start)
  let at = start
  for (const range of ranges) {
    readInto(range, bytes.subarray(at, at + range.sizeBytes))
    at += range.sizeBytes
  }
  return bytes
}

function readInto({ file, offset, sizeBytes }: FileRange, into: Buffer): void {
  const descriptor = openPlainFile(file)
  try {
    let filled = 0
    while (filled < sizeBytes) {
      const read = fs.readSync(descriptor, into, filled, sizeBytes - filled, offset + filled)
      if (read === 0) throw mismatch(file, `ends at byte ${offset + filled}, expected ${offset + sizeBytes} at least`)
      filled += read
    }
  } catch (caught) {
    throw toReleaseError(caught)
  } finally {
    fs.closeSync(descriptor)
  }
}

/** Open a file for reading that has to be one. Errors: FILE_IO, DELTA_BASE_MISMATCH when it is gone, a link or something else. */
export function openPlainFile(file: string): number {
  try {
    // Without O_NONBLOCK a planted named pipe would be waited for.
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
    const descriptor = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    if (fs.fstatSync(descriptor).isFile()) return descriptor
    fs.closeSync(descriptor)
  } catch (caught) {
    if (!isErrno(caught, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) throw toReleaseError(caught)
    throw mismatch(file, 'is not there as a file', caught)
  }
  throw mismatch(file, 'is not a file')
}

/** Say what is wrong with a file of the earlier release. */
export function mismatch(file: string, problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('DELTA_BASE_MISMATCH', `${file} ${problem}`, { cause, details: { path: file } })
}
