import type { ServiceStatus } from '../core/service-status.ts'
import type { ControlResult } from '../gate/control/protocol.ts'
import type { Gate } from '../gate/gate.ts'
import { readIdentity } from '../prefix/identity.ts'
import { probeRelease, readServedRelease, type ServedRelease } from './serve-release.ts'
import { ServeServices, type ServeServicesOptions } from './serve-services.ts'

/** What the releases of a serving process are run with. */
export interface ReleasesOptions extends Omit<ServeServicesOptions, 'gate'> {
  /** Open the gate, or have it behave as a release says. */
  readonly openFor: (release: ServedRelease) => Promise<Gate>
}

/** The releases that a serving process runs. */
export class ServeReleases {
  readonly #options: ReleasesOptions
  #live: ServeServices | undefined
  #gate: Gate | undefined

  constructor(options: ReleasesOptions) {
    this.#options = options
  }

  /** The release that requests go to, as far as it was started; undefined when none runs. */
  get live(): ServedRelease | undefined {
    return this.#live?.release
  }

  /** Whether all services of the live release run or are on their way. */
  get isRunning(): boolean {
    return this.#live?.isWhole === true
  }

  /** What a prefix is given in the meantime counts for the next start. */
  read(version: string): ServedRelease {
    const { paths } = this.#options
    return readServedRelease(paths, readIdentity(paths), version)
  }

  /** Start a release in the place of what runs. */
  async start(version: string): Promise<void> {
    const release = this.read(version)
    await this.stop()
    const gate = await this.#options.openFor(release)
    const services = new ServeServices(release, { ...this.#options, gate })
    await services.start()
    this.#live = services
    this.#gate = gate
  }

  /** Stop what runs. */
  async stop(): Promise<void> {
    await this.#live?.stop()
    this.#live = undefined
  }

  /** Stop what is behind the gate only. */
  async stopListening(): Promise<void> {
    await this.#live?.stopListening()
  }

  async probe(): Promise<ControlResult> {
    const services = this.#live
    if (services === undefined) return { ok: false, evidence: 'no release runs' }
    // A socket that nobody accepts on would let the question wait as long as it may.
    const away = services.status().filter(service => service.state !== 'running')
    if (away.length > 0) return { ok: false, evidence: away.map(describeTrouble).join('; ') }
    const health = await probeRelease(services.release, this.#gate!.probeAddress(), this.#options.base)
    if (health.ok) return health
    const troubled = services.status().filter(service => service.lastExit !== undefined)
    return { ...health, evidence: [health.evidence, ...troubled.map(describeTrouble)].join('; ') }
  }

  status(): readonly ServiceStatus[] {
    return this.#live?.status() ?? []
  }
}

function describeTrouble(service: ServiceStatus): string {
  if (service.lastExit === undefined) return `${service.name} is ${service.state}`
  return `${service.name} is ${service.state} after ${service.restarts} restarts, last: ${service.lastExit}`
}
