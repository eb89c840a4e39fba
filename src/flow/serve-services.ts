import type { ServiceStatus } from '../core/service-status.ts'
import type { Gate } from '../gate/gate.ts'
import type { RecipeService } from '../recipe/schema.ts'
import { EmbeddedDriver, type EmbeddedPlaces, type PreparedService } from '../service/drivers/embedded.ts'
import { resolveServices, usesSocket } from '../service/spec.ts'
import type { ServedRelease } from './serve-release.ts'

export interface ServeServicesOptions {
  readonly gate: Gate
  readonly places: EmbeddedPlaces
  /** What services get of our environment. */
  readonly base: Readonly<Record<string, string>>
}

interface RunningService {
  readonly service: RecipeService
  readonly driver: EmbeddedDriver
}

/** The services of one release, running. */
export class ServeServices {
  readonly release: ServedRelease
  readonly #options: ServeServicesOptions
  readonly #drivers: RunningService[] = []
  readonly #stopped = new Map<EmbeddedDriver, Promise<void>>()

  constructor(release: ServedRelease, options: ServeServicesOptions) {
    this.release = release
    this.#options = options
  }

  /** Start all, in the recipe's order. Errors: SERVICE_START_FAILED, RECIPE_PLACEHOLDER; then none of them runs. */
  async start(): Promise<void> {
    try {
      for (const service of this.release.node.services) {
        const driver = new EmbeddedDriver(this.#embedded(service), this.#options.places)
        await driver.start()
        this.#drivers.push({ service, driver })
      }
    } catch (caught) {
      await this.stop()
      throw caught
    }
  }

  /** Stop all, in reverse order. */
  async stop(): Promise<void> {
    for (const running of this.#drivers.toReversed()) await this.#stop(running)
  }

  /** Stop the service behind the gate only. */
  async stopListening(): Promise<void> {
    for (const running of this.#drivers) {
      if (running.service.listens) await this.#stop(running)
    }
  }

  /** Whether all of them run or are on their way. */
  get isWhole(): boolean {
    return this.#stopped.size === 0
  }

  status(): readonly ServiceStatus[] {
    return this.#drivers.map(({ driver }) => driver.status())
  }

  #stop({ service, driver }: RunningService): Promise<void> {
    const before = this.#stopped.get(driver)
    if (before !== undefined) return before
    if (service.listens) this.#options.gate.serviceStopping()
    const stopping = driver.stop()
    this.#stopped.set(driver, stopping)
    return stopping
  }

  #embedded(service: RecipeService) {
    const { gate } = this.#options
    return {
      name: service.name,
      prepare: () => this.#prepare(service),
      started: () => {
        if (service.listens) gate.serviceStarted()
      },
      ended: (returns: boolean) => {
        if (service.listens) gate.serviceEnded(returns)
      },
    }
  }

  async #prepare(service: RecipeService): Promise<PreparedService> {
    const { gate, base } = this.#options
    const place = service.listens ? await gate.prepareService(usesSocket(service) ? 'socket' : 'port') : undefined
    const [spec] = resolveServices({
      services: [service],
      values: this.release.values,
      releaseFolder: this.release.folder,
      listening: { port: place?.port ?? '', socket: place?.socket ?? '' },
      base,
    })
    return { spec: spec!, listenDescriptor: place?.listenDescriptor }
  }
}
