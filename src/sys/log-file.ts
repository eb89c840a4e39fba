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
