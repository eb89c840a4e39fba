import type { ServiceStatus } from '../core/service-status.ts'
import type { ServiceDoor } from '../gate/gate.ts'
import type { PrefixIdentity } from '../prefix/identity.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import type { GateKind, RecipeService } from '../recipe/schema.ts'
import type {
  DriverKind,
  DriverPlaces,
  PreparedService,
  ServiceDriver,
  ServiceHooks,
  ServiceSpec,
} from '../service/driver.ts'
import { openDriver } from '../service/drivers.ts'
import { runJob } from '../service/job.ts'
import type { LetGoEnd } from '../service/let-go.ts'
import { type RunningPlace, runningName } from '../service/names.ts'
import { type ListeningPlaceholders, resolveJobs, usesSocket } from '../service/spec.ts'
import { serviceSocketFolder } from './serve-gate.ts'
import type { ServedRelease } from './serve-release.ts'
import { mountedFolders, specOf } from './serve-spec.ts'

export interface ServeServicesOptions {
  readonly door: ServiceDoor
  readonly gateKind: GateKind
  /** Another than that of a release that runs at the same time. */
  readonly place: RunningPlace
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
export function driverKind(identity: PrefixIdentity, release: Pick<ServedRelease, 'node'>): DriverKind {
  return identity.settings?.driver ?? release.node.driver
}

/** The services of one release, running. */
export class ServeServices {
  readonly release: ServedRelease
  readonly #options: ServeServicesOptions
  #drivers: readonly RunningService[] = []
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
  start(): Promise<void> {
    return this.#start(this.release.node.services)
  }

  /** Start the service behind the gate only. Errors: those of {@link start}. */
  startListening(): Promise<void> {
    return this.#start(this.release.node.services.filter(service => service.listens))
  }

  /** Start those that are not behind the gate, beside the one that runs. Errors: those of {@link start}; that one runs on. */
  async startOthers(): Promise<void> {
    await this.#start(this.release.node.services.filter(service => !service.listens))
  }

  /** Take over all, started by another process that let go of them, instead of {@link start}. Errors: SERVICE_ADOPT_FAILED. */
  async adopt(): Promise<void> {
    const { places, identity } = this.#options
    for (const service of this.release.node.services) {
      const driver = openDriver(driverKind(identity, this.release), this.#hooks(service), places)
      await driver.adopt()
      this.#drivers = [...this.#drivers, { service, driver }]
    }
  }

  /** Let go of all; see {@link ServiceDriver.letGo}. */
  letGo(): (end: LetGoEnd) => void {
    const ends = this.#drivers.map(({ driver }) => driver.letGo())
    return end => {
      for (const each of ends) each(end)
    }
  }

  /** Stop all, in reverse order. */
  async stop(): Promise<void> {
    for (const running of this.#drivers.toReversed()) await this.#stop(running)
  }

  /** Stop the service behind the gate only. */
  async stopListening(): Promise<void> {
    for (const running of this.#drivers.filter(({ service }) => service.listens)) await this.#stop(running)
  }

  /** Stop those that are not behind the gate, in reverse order; {@link startOthers} can start them again. */
  async stopOthers(): Promise<void> {
    await this.#end(this.#drivers.filter(({ service }) => !service.listens))
  }

  /** Whether all of them run or are on their way. */
  get isWhole(): boolean {
    return this.#stopped.size === 0
  }

  status(): readonly ServiceStatus[] {
    return this.#drivers.map(({ driver }) => driver.status())
  }

  async #start(services: readonly RecipeService[]): Promise<void> {
    const { places, identity } = this.#options
    const before = this.#drivers
    try {
      for (const service of services) {
        await this.#runJobs(service, 'before')
        const driver = openDriver(driverKind(identity, this.release), this.#hooks(service), places)
        await driver.start()
        this.#drivers = [...this.#drivers, { service, driver }]
        await this.#runJobs(service, 'after')
      }
    } catch (caught) {
      await this.#end(this.#drivers.filter(running => !before.includes(running)))
      throw caught
    }
  }

  async #end(ending: readonly RunningService[]): Promise<void> {
    for (const running of ending.toReversed()) await this.#stop(running)
    this.#drivers = this.#drivers.filter(running => !ending.includes(running))
    for (const { driver } of ending) this.#stopped.delete(driver)
  }

  #stop({ service, driver }: RunningService): Promise<void> {
    const before = this.#stopped.get(driver)
    if (before !== undefined) return before
    if (service.listens) this.#options.door.serviceStopping()
    const stopping = driver.stop()
    this.#stopped.set(driver, stopping)
    return stopping
  }

  #hooks(service: RecipeService): ServiceHooks {
    const { door, place } = this.#options
    return {
      name: runningName(service.name, place),
      prepare: () => this.#prepare(service),
      started: () => {
        if (service.listens) door.serviceStarted()
      },
      ended: returns => {
        if (service.listens) door.serviceEnded(returns)
      },
    }
  }

  async #prepare(service: RecipeService): Promise<PreparedService> {
    const { door, gateKind, paths } = this.#options
    const place = service.listens ? await door.prepareService(usesSocket(service) ? 'socket' : 'port') : undefined
    const address = { port: place?.port ?? '', socket: place?.socket ?? '' }
    return {
      spec: await this.#spec(service, address),
      handed: place?.handed ?? [],
      port: gateKind === 'handover' ? '' : address.port,
      socket: address.socket,
      writable: [paths.shared, ...mountedFolders(this.release, this.#options), serviceSocketFolder(paths)],
    }
  }

  async #spec(service: RecipeService, listening: ListeningPlaceholders): Promise<ServiceSpec> {
    const spec = await specOf(service, this.release, listening, this.#options)
    return { ...spec, name: runningName(service.name, this.#options.place) }
  }

  async #runJobs(service: RecipeService, when: 'before' | 'after'): Promise<void> {
    const { places, signal } = this.#options
    if (service[when].length === 0) return
    // Jobs do not listen, whatever their service does.
    const spec = await this.#spec(service, { port: '', socket: '' })
    for (const job of resolveJobs(service, when, {
      spec,
      values: this.release.values,
      releaseFolder: this.release.folder,
    }))
      await runJob(job, places, signal)
  }
}
