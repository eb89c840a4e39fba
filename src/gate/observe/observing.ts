import { AccessLog } from './access-log.ts'
import { Figures, type GateFigures } from './figures.ts'
import type { Observer, RequestRecord } from './observer.ts'
import type { AccessLogFormat } from './render-access-log.ts'

/** Everything that looks at the requests of one process: it counts, and tells where that is wanted. */
export class Observing implements Observer {
  readonly #figures = new Figures()
  readonly #logFile: string
  #log: AccessLog | undefined
  #format: AccessLogFormat | 'off' = 'off'

  constructor(logFile: string) {
    this.#logFile = logFile
  }

  /** Tell of requests as another release's recipe says. Errors: FILE_IO. */
  configure(format: AccessLogFormat | 'off'): void {
    if (format === this.#format) return
    this.#log?.close()
    this.#log = format === 'off' ? undefined : new AccessLog(this.#logFile, format)
    this.#format = format
  }

  finished(record: RequestRecord): void {
    this.#figures.finished(record)
    this.#log?.finished(record)
  }

  figures(): GateFigures {
    return this.#figures.snapshot()
  }

  /** Go on in the file of the log's name; see {@link AccessLog.reopen}. */
  reopen(): void {
    this.#log?.reopen()
  }

  close(): void {
    this.#log?.close()
    this.#log = undefined
    this.#format = 'off'
  }
}
