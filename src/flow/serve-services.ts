import type { ServiceStatus } from '../core/service-status.ts'
import type { Gate } from '../gate/gate.ts'
import type { PrefixIdentity } from '../prefix/identity.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import type { RecipeService } from '../recipe/schema.ts'
import type { DriverKind, DriverPlaces, PreparedService, ServiceDriver, ServiceHooks } from '../service/driver.ts'
import { openDriver } from '../service/drivers.ts'
import { runJob } from '../service/job.ts'
import { resolveJobs, usesSocket } from '../service/spec.ts'
import { serviceSocketFolder } from './serve-gate.ts'
import type { ServedRelease } from './serve-release.ts'
import { specOf } from './serve-spec.ts'

export interface ServeServicesOptions {
  readonly gate: Gate
  readonly places: DriverPlaces
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  /** What services get of our environment. */
  readonly base: Readonly<Record<string, string>>
  /** Aborted when what is being started must not be waited for any more. */
  readonly signal: AbortSignal
}

interface RunningService {
  readonly service: RecipeService
  readonly driver: ServiceDriver
}

/** Who runs the services of a release on a prefix: what its operator says, else the recipe. */
export function driverKind(identity: PrefixIdentity, release: ServedRelease): DriverKind {
  return identity.settings?.driver ?? release.node.driver
}

/** The services of one release, running. */
export class ServeServices {
  readonly release: ServedRelease
  readonly #options: ServeServicesOptions
  readonly #drivers: RunningService[] = []
  readonly #stopped = new Map<ServiceDriver, Promise<void>>()

  constructor(release: ServedRelease, options: ServeServicesOptions) {
    this.release = release
    this.#options = options
  }

  /**
   * Start all, in the recipe's order, each with the jobs before and after it.
   *
   * Errors: SERVICE_START_FAILED, SERVICE_JOB_FAILED, SERVICE_DRIVER_UNSUITABLE, SERVICE_MANAGER_FAILED, COMPOSE_INVALID, ACCOUNT_UNKNOWN,
   * ACCOUNT_DENIED, RECIPE_PLACEHOLDER; then none of them runs.
   */
  async start(): Promise<void> {
    const { places, identity } = this.#options
    try {
      for (const service of this.release.node.services) {
        await this.#runJobs(service, 'before')
        const driver = openDriver(driverKind(identity, this.release), this.#hooks(service), places)
        await driver.start()
        this.#drivers.push({ service, driver })
        await this.#runJobs(service, 'after')
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

  #hooks(service: RecipeService): ServiceHooks {
    const { gate } = this.#options
    return {
      name: service.name,
      prepare: () => this.#prepare(service),
      started: () => {
        if (service.listens) gate.serviceStarted()
      },
      ended: returns => {
        if (service.listens) gate.serviceEnded(returns)
      },
    }
  }

  async #prepare(service: RecipeService): Promise<PreparedService> {
    const { gate, paths } = this.#options
    const place = service.listens ? await gate.prepareService(usesSocket(service) ? 'socket' : 'port') : undefined
    const address = { port: place?.port ?? '', socket: place?.socket ?? '' }
    return {
      spec: await specOf(service, this.release, address, this.#options),
      handed: place?.handed ?? [],
      port: gate.kind === 'proxy' ? address.port : '',
      socket: address.socket,
      writable: [paths.shared, serviceSocketFolder(paths)],
    }
  }

  async #runJobs(service: RecipeService, when: 'before' | 'after'): Promise<void> {
    const { places, signal } = this.#options
    if (service[when].length === 0) return
    // Jobs do not listen, whatever their service does.
    const spec = await specOf(service, this.release, { port: '', socket: '' }, this.#options)
    for (const job of resolveJobs(service, when, {
      spec,
      values: this.release.values,
      releaseFolder: this.release.folder,
    }))
      await runJob(job, places, signal)
  }
}
