import { ReleaseError } from '../core/error.ts'
import type { ServiceStatus } from '../core/service-status.ts'
import type { BesideStatus, ControlResult, ServeStatus } from '../gate/control/protocol.ts'
import type { Address } from '../gate/front/address.ts'
import type { DrainLimits } from '../gate/front/flights.ts'
import type { Drained, Gate, GateOverlap, ServiceDoor } from '../gate/gate.ts'
import { readIdentity } from '../prefix/identity.ts'
import { arrangeMounts } from '../prefix/mounts.ts'
import type { LetGoEnd } from '../service/let-go.ts'
import { otherPlace, type RunningPlace } from '../service/names.ts'
import { probeRelease, readServedRelease, type ServedRelease } from './serve-release.ts'
import { driverKind, ServeServices, type ServeServicesOptions } from './serve-services.ts'

/** What the releases of a serving process are run with. */
export interface ReleasesOptions extends Omit<ServeServicesOptions, 'door' | 'gateKind' | 'place'> {
  /** Open the gate, or have it behave as a release says. */
  readonly openFor: (release: ServedRelease) => Promise<Gate>
}

/** How the release beside is looked at. Units: seconds that a client stays with what it met. */
export interface Trial {
  readonly share: number
  readonly cookie: string
  readonly cookieSeconds: number
}

interface Running {
  readonly services: ServeServices
  readonly door: ServiceDoor
  readonly place: RunningPlace
  /** Clients do not reach it. */
  readonly isSecluded: boolean
}

/** The chance that none of so many connections gets to one of two that accept is small, whichever the kernel wakes first. */
const sharedAttempts = 16

/** The releases that a serving process runs: the live one, and during an upgrade without a hold another beside it. */
export class ServeReleases {
  readonly #options: ReleasesOptions
  #gate: Gate | undefined
  #live: Running | undefined
  #beside: Running | undefined
  #share = 0

  constructor(options: ReleasesOptions) {
    this.#options = options
  }

  /** The release that requests go to; undefined when none was started. */
  get live(): ServedRelease | undefined {
    return this.#live?.services.release
  }

  /** The release beside it: the one that is to become live, or that was live. */
  get beside(): ServedRelease | undefined {
    return this.#beside?.services.release
  }

  /** Whether all services of the live release run or are on their way. */
  get isRunning(): boolean {
    return this.#live?.services.isWhole === true
  }

  /** Whether it runs, where clients reach it once they may. */
  get isReachable(): boolean {
    return this.isRunning && this.#live?.isSecluded === false
  }

  /** What a prefix is given in the meantime counts for the next start. */
  read(version: string): ServedRelease {
    const { paths } = this.#options
    return readServedRelease(paths, readIdentity(paths), version)
  }

  /** Start a release in the place of all that runs; `secluded`: clients must not reach it, whoever accepts. */
  async start(version: string, { secluded = false }: { readonly secluded?: boolean } = {}): Promise<void> {
    const release = this.read(version)
    await this.stop()
    const { paths } = this.#options
    arrangeMounts({ paths, identity: readIdentity(paths), role: release.role, account: release.account })
    const gate = await this.#options.openFor(release)
    const privateDoor = secluded ? this.#privateDoor(gate, release) : undefined
    const door = privateDoor ?? gate.overlap?.live() ?? gate
    const live = this.#prepare(release, { gate, door, place: 1, isSecluded: privateDoor !== undefined })
    await live.services.start()
    this.#live = live
    this.#gate = gate
  }

  /** Take over a release that another process started and let go of. Errors: SERVICE_ADOPT_FAILED, those of opening the gate. */
  async adopt(version: string, place: RunningPlace): Promise<void> {
    const release = this.read(version)
    const gate = await this.#options.openFor(release)
    const live = this.#prepare(release, { gate, door: gate.overlap?.live() ?? gate, place, isSecluded: false })
    await live.services.adopt()
    this.#live = live
    this.#gate = gate
  }

  /** Let go of the live release, for another process to take over. Pre: nothing is beside. Post: see {@link ServiceDriver.letGo}. */
  letGo(): (end: LetGoEnd) => void {
    return this.#live?.services.letGo() ?? (() => {})
  }

  /** What another process must know of the live release to take it over. */
  get running(): { version: string; place: RunningPlace; servicePlace: Address } | undefined {
    const live = this.#live
    if (live === undefined) return undefined
    return { version: live.services.release.version, place: live.place, servicePlace: live.door.probeAddress() }
  }

  /** Stop all that runs. */
  async stop(): Promise<void> {
    await this.#endBeside()
    await this.#live?.services.stop()
    this.#live = undefined
  }

  /** Stop what is behind the gate only. */
  async stopListening(): Promise<void> {
    await this.#beside?.services.stopListening()
    await this.#live?.services.stopListening()
  }

  /**
   * Start the listening service of a release beside the live one. Nothing is sent there yet, where the gate can tell requests apart.
   *
   * Post: nothing was done when it runs already. Errors: OVERLAP_UNSUPPORTED, those of a start; the live release goes on.
   */
  async startBeside(version: string): Promise<void> {
    if (this.live?.version === version || this.beside?.version === version) return
    const release = this.read(version)
    const { live, overlap, gate } = this.#requireOverlap()
    await this.#endBeside()
    const beside = this.#prepare(release, {
      gate,
      door: overlap.open(),
      place: otherPlace(live.place),
      isSecluded: false,
    })
    try {
      await beside.services.startListening()
    } catch (caught) {
      overlap.close()
      throw caught
    }
    this.#beside = beside
  }

  /** Send a share of the clients to a release beside, besides those who ask for it. Errors: OVERLAP_LOST, OVERLAP_UNSUPPORTED. */
  route(version: string, trial: Trial): void {
    const { overlap } = this.#requireOverlap()
    this.#requireBeside(version)
    if (!overlap.canRoute) throw unsupported('its gate cannot tell requests apart')
    overlap.route({ ...trial, salt: version })
    this.#share = trial.share
  }

  /**
   * Make the release beside the live one: from now on it gets all requests, and its other services run instead of those of the one before,
   * whose listening service goes on beside.
   *
   * Post: nothing was done when it is live already. Errors: OVERLAP_LOST, those of a start; then everything is as it was.
   */
  async promote(version: string): Promise<void> {
    if (this.live?.version === version) return
    const { live, overlap } = this.#requireOverlap()
    const beside = this.#requireBeside(version)
    await live.services.stopOthers()
    try {
      await beside.services.startOthers()
    } catch (caught) {
      await live.services.startOthers()
      throw caught
    }
    await overlap.promote()
    this.#share = 0
    this.#live = beside
    this.#beside = live
    await this.#options.openFor(beside.services.release)
  }

  /** Let the release beside finish what it has, and stop it. Post: nothing was done when it is not there. */
  async retire(version: string, limits: DrainLimits): Promise<Drained | undefined> {
    if (this.beside?.version !== version) return undefined
    const overlap = this.#gate!.overlap!
    overlap.route(undefined)
    const drained = await overlap.drain(limits)
    await this.#endBeside()
    return drained
  }

  /** Ask a release for its health; the live one when none is named. */
  async probe(version = this.live?.version): Promise<ControlResult> {
    const running = [this.#live, this.#beside].find(
      each => each !== undefined && each.services.release.version === version,
    )
    if (running === undefined)
      return { ok: false, evidence: version === undefined ? 'no release runs' : `${version} does not run` }
    const { services, door } = running
    // A socket that nobody accepts on would let the question wait as long as it may.
    const away = services.status().filter(service => service.state !== 'running')
    if (away.length > 0) return { ok: false, evidence: away.map(describeTrouble).join('; ') }
    const health = await this.#ask(services.release, door)
    if (health.ok) return health
    const troubled = services.status().filter(service => service.lastExit !== undefined)
    return { ...health, evidence: [health.evidence, ...troubled.map(describeTrouble)].join('; ') }
  }

  /** Where two releases answer at one address, a wrong answer is the other one's for all we know: it is asked again. */
  async #ask(release: ServedRelease, door: ServiceDoor): Promise<ControlResult> {
    const isShared = this.#beside !== undefined && this.#gate?.overlap?.canRoute === false
    for (let left = isShared ? sharedAttempts : 1; ; ) {
      const health = await probeRelease(release, door.probeAddress(), this.#options.base)
      left -= 1
      if (health.ok || health.isAnswer !== true || left === 0) return health
    }
  }

  status(): Pick<ServeStatus, 'version' | 'role' | 'services' | 'overlap' | 'beside'> {
    const overlap = this.#live === undefined ? undefined : this.#gate?.overlap
    return {
      version: this.live?.version,
      role: this.live?.role?.name,
      services: this.#live?.services.status() ?? [],
      overlap: overlap === undefined ? undefined : { canRoute: overlap.canRoute },
      beside: overlap === undefined ? undefined : this.#besideStatus(overlap),
    }
  }

  #besideStatus(overlap: GateOverlap): BesideStatus | undefined {
    if (this.#beside === undefined) return undefined
    const { release } = this.#beside.services
    const { live, beside } = overlap.figures()
    return {
      version: release.version,
      services: this.#beside.services.status(),
      share: this.#share,
      liveAnswers: live,
      besideAnswers: beside,
    }
  }

  #prepare(release: ServedRelease, { gate, ...running }: Omit<Running, 'services'> & { readonly gate: Gate }): Running {
    const { door, place } = running
    return { services: new ServeServices(release, { ...this.#options, door, gateKind: gate.kind, place }), ...running }
  }

  /** Sockets are given to a process of our own; whoever gets his from systemd gets the public ones. */
  #privateDoor(gate: Gate, release: ServedRelease): ServiceDoor | undefined {
    const { paths } = this.#options
    return driverKind(readIdentity(paths), release) === 'embedded' ? gate.seclude?.() : undefined
  }

  async #endBeside(): Promise<void> {
    const beside = this.#beside
    if (beside === undefined) return
    this.#gate?.overlap?.route(undefined)
    await beside.services.stop()
    this.#gate?.overlap?.close()
    this.#beside = undefined
    this.#share = 0
  }

  #requireOverlap() {
    const gate = this.#gate
    const live = this.#live
    if (live === undefined || gate === undefined) throw unsupported('no release runs')
    if (gate.overlap === undefined) throw unsupported(`a gate of kind ${gate.kind} has one release behind it`)
    return { live, gate, overlap: gate.overlap }
  }

  #requireBeside(version: string): Running {
    if (this.#beside !== undefined && this.beside?.version === version) return this.#beside
    throw new ReleaseError('OVERLAP_LOST', `${version} does not run beside ${this.live?.version ?? 'anything'}`, {
      details: { version, live: this.live?.version, beside: this.beside?.version },
    })
  }
}

function unsupported(why: string): ReleaseError {
  return new ReleaseError('OVERLAP_UNSUPPORTED', `no release can be run beside another here: ${why}`)
}

function describeTrouble(service: ServiceStatus): string {
  if (service.lastExit === undefined) return `${service.name} is ${service.state}`
  return `${service.name} is ${service.state} after ${service.restarts} restarts, last: ${service.lastExit}`
}
