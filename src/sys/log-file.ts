import fs from 'node:fs'
import { isErrno } from '../core/error.ts'

/**
 * Keep a log that other processes append to from growing without end: beyond `maxBytes` its content moves to `FILE.1`.
 *
 * The writers keep their descriptor, so the file is copied and emptied; lines written between the two are lost. Their descriptors
 * append, so they go on at the new end.
 */
export function rotateLog(file: string, maxBytes: number): void {
  try {
    if (fs.statSync(file).size <= maxBytes) return
    fs.copyFileSync(file, `${file}.1`)
    fs.truncateSync(file, 0)
  } catch (caught) {
    // Not written yet, or no room for a copy: the service matters more than its old lines.
    if (isErrno(caught, 'ENOSPC', 'EDQUOT')) fs.truncateSync(file, 0)
    else if (!isErrno(caught, 'ENOENT')) throw caught
  }
}

/** Append one line of our own to a log, with the time. */
export function appendLogLine(file: string, nowMs: number, line: string): void {
  fs.appendFileSync(file, `${new Date(nowMs).toISOString()} cutover: ${line}\n`, { mode: 0o640 })
}

/** Read the last lines of a log, without reading all of it; none when there is no file. */
export function readLastLines(file: string, lines: number): readonly string[] {
  let descriptor: number
  try {
    descriptor = fs.openSync(file, 'r')
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR')) return []
    throw caught
  }
  try {
    const { size } = fs.fstatSync(descriptor)
    const buffer = Buffer.alloc(Math.min(size, lines * 512))
    const readBytes = fs.readSync(descriptor, buffer, 0, buffer.byteLength, size - buffer.byteLength)
    const text = buffer.toString('utf8', 0, readBytes)
    return text.split('\n').slice(0, -1).slice(-lines)
  } finally {
    fs.closeSync(descriptor)
  }
}
