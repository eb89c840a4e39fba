import { AccessLog } from './access-log.ts'
import { Figures, type GateFigures } from './figures.ts'
import type { Observer, RequestRecord } from './observer.ts'
import type { AccessLogFormat } from './render-access-log.ts'

/** Where requests are told, and how. */
export interface AccessLogSettings {
  readonly file: string
  readonly format: AccessLogFormat
}

/** Everything that looks at the requests of one process: it counts, and tells where that is wanted. */
export class Observing implements Observer {
  readonly #figures = new Figures()
  #log: AccessLog | undefined
  #settings: AccessLogSettings | undefined

  /** Tell of requests as another release's recipe says. Errors: FILE_IO. */
  configure(settings: AccessLogSettings | undefined): void {
    if (settings?.file === this.#settings?.file && settings?.format === this.#settings?.format) return
    this.close()
    if (settings !== undefined) this.#log = new AccessLog(settings.file, settings.format)
    this.#settings = settings
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
    this.#settings = undefined
  }
}
