import fs from 'node:fs'
import { isErrno } from '../../core/error.ts'
import type { Observer, RequestRecord } from './observer.ts'
import { type AccessLogFormat, accessLogLine } from './render-access-log.ts'

/** Lines are written together: this many bytes at the latest, or this long after the first of them. */
const flushBytes = 32 * 1024
const flushMs = 200

/**
 * Tell of each request in a file, a few at a time.
 *
 * Post: a request never waits for the log; a full disk costs lines, not requests. A file that was moved away is left, and a new one
 * begun, at {@link AccessLog.reopen}. Crash: what was not written yet is lost, {@link flushMs} at most.
 */
export class AccessLog implements Observer {
  readonly #file: string
  readonly #format: AccessLogFormat
  #descriptor: number | undefined
  #lines = ''
  #timer: NodeJS.Timeout | undefined
  #lost = 0

  /** Errors: FILE_IO when the file cannot be opened. */
  constructor(file: string, format: AccessLogFormat) {
    this.#file = file
    this.#format = format
    this.reopen()
  }

  /** How many lines could not be written. */
  get lost(): number {
    return this.#lost
  }

  finished(record: RequestRecord): void {
    this.#lines += accessLogLine(record, this.#format)
    if (this.#lines.length >= flushBytes) this.#flush()
    else if (this.#timer === undefined) {
      this.#timer = setTimeout(() => this.#flush(), flushMs)
      this.#timer.unref()
    }
  }

  /** Go on in the file of that name, for whoever rotates logs. */
  reopen(): void {
    this.#flush()
    if (this.#descriptor !== undefined) fs.closeSync(this.#descriptor)
    this.#descriptor = undefined
    this.#descriptor = fs.openSync(this.#file, 'a', 0o640)
  }

  close(): void {
    this.#flush()
    if (this.#descriptor !== undefined) fs.closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const lines = this.#lines
    this.#lines = ''
    if (lines === '' || this.#descriptor === undefined) return
    try {
      fs.writeSync(this.#descriptor, lines)
    } catch (caught) {
      if (!isErrno(caught)) throw caught
      this.#lost += lines.split('\n').length - 1
    }
  }
}
