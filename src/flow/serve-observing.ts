import { toReleaseError } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import { parseAddress } from '../gate/front/address.ts'
import type { FrontSettings } from '../gate/front/settings.ts'
import { type MetricsServer, serveMetrics } from '../gate/observe/metrics-server.ts'
import { Observing } from '../gate/observe/observing.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { ServedRelease } from './serve-release.ts'

/** What a serving process shows of its requests: the access log, and metrics at an address of their own. */
export class ServeObserving {
  readonly observing = new Observing()
  readonly #render: () => string
  readonly #emit: Emit
  #server: MetricsServer | undefined
  #shownAt: string | undefined

  constructor(render: () => string, emit: Emit) {
    this.#render = render
    this.#emit = emit
  }

  /** Show what a release's recipe says. Post: never rejects; what cannot be shown is warned of, for the application is served all the same. */
  async configure(settings: FrontSettings, release: ServedRelease): Promise<void> {
    try {
      this.observing.configure(settings.accessLog)
      await this.#showMetrics(release)
    } catch (caught) {
      const { code, message } = toReleaseError(caught)
      this.#emit({ kind: 'warning', code, message })
    }
  }

  /** Give up the address of the metrics, for another process to take it. {@link configure} shows them again. */
  async hideMetrics(): Promise<void> {
    this.#shownAt = undefined
    await this.#server?.close()
    this.#server = undefined
  }

  /** Go on in a new access log. */
  reopen(): void {
    this.observing.reopen()
  }

  async close(): Promise<void> {
    this.observing.close()
    await this.#server?.close()
  }

  async #showMetrics({ node, values }: ServedRelease): Promise<void> {
    const { metrics } = node.gate
    const wanted = metrics === undefined ? undefined : fillPlaceholders(metrics, values, 'node.gate.metrics')
    if (wanted === this.#shownAt) return
    await this.hideMetrics()
    if (wanted === undefined) return
    this.#server = await serveMetrics(parseAddress(wanted), this.#render)
    this.#shownAt = wanted
    this.#emit({ kind: 'note', message: `metrics at ${this.#server.address}` })
  }
}
