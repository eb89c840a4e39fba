import { type ReleaseError, toReleaseError } from '../core/error.ts'
import type { ServiceStatus } from '../core/service-status.ts'
import { delay } from '../sys/clock.ts'
import { appendLogLine } from '../sys/log-file.ts'
import { identifyProcess, isProcessRunning, type ProcessIdentity } from '../sys/process.ts'
import type { DriverPlaces, PreparedService, ServiceDriver, ServiceHooks } from './driver.ts'
import { findManaged, forgetService, type ManagerKind, rememberManaged, type StoppingService } from './leftovers.ts'
import { LetGo, type LetGoEnd } from './let-go.ts'
import { beginLog, keepLogSmall, logFileOf } from './log.ts'
import { failuresInARow, restartPauseMs } from './restart.ts'

/** What a manager says of a service. */
export type Observed =
  | { readonly kind: 'running'; readonly pid: number }
  /** On its way, by the manager itself. */
  | { readonly kind: 'starting' }
  /** It ended, and the manager does not start it again. */
  | { readonly kind: 'ended'; readonly lastExit: string }
  /** Somebody stopped it by hand: it is left so. */
  | { readonly kind: 'stopped' }

/** A program of the machine that runs services for us. Knows them by {@link DriverPlaces.instance} and their names. */
export interface ServiceManager {
  readonly kind: ManagerKind
  /**
   * Make a service known, in place of any of its name, and start it.
   *
   * Post: it was started, and says that it is ready where it tells. Errors: SERVICE_START_FAILED, SERVICE_DRIVER_UNSUITABLE, SERVICE_MANAGER_FAILED.
   */
  readonly start: (service: PreparedService) => Promise<void>
  /** End a service and take away what is known of it; one that is not known is done. Errors: SERVICE_MANAGER_FAILED. */
  readonly stop: (service: StoppingService) => Promise<void>
  /** Ask for a service. Errors: SERVICE_MANAGER_FAILED. */
  readonly observe: (name: string) => Promise<Observed>
}

/** A process that is gone is noticed after this at most; looking costs one read. */
const lookMs = 100
/** How often a manager is asked while it is at work on a service. */
const askMs = 100

/** A service that a manager runs: watched, so that the gate knows when it is away, and started again when the manager gave up. */
export class ManagedService implements ServiceDriver {
  readonly #manager: ServiceManager
  readonly #service: ServiceHooks
  readonly #places: DriverPlaces
  readonly #stopping = new AbortController()
  readonly #letGo = new LetGo()
  readonly #endLogKeeping: () => void
  #state: ServiceStatus['state'] = 'stopped'
  #running: { readonly identity: ProcessIdentity; readonly sinceMs: number } | undefined
  #stoppingService: StoppingService | undefined
  #life: Promise<void> = Promise.resolve()
  #failures = 0
  #restarts = 0
  #lastExit: string | undefined

  constructor(manager: ServiceManager, service: ServiceHooks, places: DriverPlaces) {
    this.#manager = manager
    this.#service = service
    this.#places = places
    this.#endLogKeeping = keepLogSmall(logFileOf(places, service.name))
  }

  async start(): Promise<void> {
    this.#state = 'starting'
    try {
      await this.#startOnce()
    } catch (caught) {
      await this.#giveUp().catch(why => this.#note(toReleaseError(why)))
      this.#state = 'stopped'
      throw caught
    }
    this.#life = this.#live()
  }

  async adopt(): Promise<void> {
    const { name } = this.#service
    this.#stoppingService = findManaged(this.#places.runFolder, name, this.#manager.kind)
    this.#state = 'starting'
    if (this.#see(await this.#manager.observe(name))) this.#service.started()
    this.#life = this.#live()
  }

  letGo(): (end: LetGoEnd) => void {
    const decide = this.#letGo.begin()
    return end => {
      if (end === 'taken') {
        this.#endLogKeeping()
        // What watches it ends now, not with its next look.
        this.#stopping.abort()
      }
      decide(end)
    }
  }

  async stop(): Promise<void> {
    this.#endLogKeeping()
    this.#stopping.abort()
    this.#state = 'stopping'
    await this.#life
    if (this.#stoppingService !== undefined) await this.#manager.stop(this.#stoppingService)
    forgetService(this.#places.runFolder, this.#service.name)
    this.#running = undefined
    this.#state = 'stopped'
    this.#service.ended(false)
  }

  status(): ServiceStatus {
    return {
      name: this.#service.name,
      state: this.#state,
      pid: this.#running?.identity.pid,
      restarts: this.#restarts,
      lastExit: this.#lastExit,
    }
  }

  async #startOnce(): Promise<void> {
    const prepared = await this.#service.prepare()
    const { name, stopSignal, stopTimeoutMs } = prepared.spec
    this.#stoppingService = { name, stopSignal, stopTimeoutMs }
    // Before the start, so that there is no moment in which it runs and is not found again.
    beginLog(logFileOf(this.#places, name))
    rememberManaged(this.#places.runFolder, this.#stoppingService, this.#manager.kind)
    await this.#manager.start(prepared)
    this.#see(await this.#manager.observe(name))
    this.#service.started()
  }

  /** What could not be started must not be tried by the manager for ever, behind our back. */
  async #giveUp(): Promise<void> {
    this.#endLogKeeping()
    if (this.#stoppingService === undefined) return
    await this.#manager.stop(this.#stoppingService)
    forgetService(this.#places.runFolder, this.#service.name)
  }

  async #live(): Promise<void> {
    while (!this.#stopping.signal.aborted && this.#state !== 'stopped') {
      try {
        await this.#lookAgain()
      } catch (caught) {
        if (this.#stopping.signal.aborted) return
        this.#note(toReleaseError(caught))
      }
    }
  }

  async #lookAgain(): Promise<void> {
    await delay(this.#running === undefined ? askMs : lookMs, this.#stopping.signal)
    if (await this.#letGo.isTaken()) return
    if (this.#running !== undefined && isProcessRunning(this.#running.identity)) return
    const wasRunning = this.#running
    if (wasRunning !== undefined) {
      this.#failures = failuresInARow(this.#failures, this.#places.clock.elapsedMs() - wasRunning.sinceMs)
      this.#running = undefined
      this.#state = 'backoff'
      this.#service.ended(true)
    }
    const observed = await this.#manager.observe(this.#service.name)
    if (observed.kind === 'ended') await this.#startAgain(observed.lastExit)
    else if (this.#see(observed)) {
      this.#restarts += 1
      this.#service.started()
    }
  }

  /** Take in what the manager says. Post: whether it runs. */
  #see(observed: Observed): boolean {
    if (observed.kind === 'stopped') {
      this.#state = 'stopped'
      this.#lastExit = `stopped by hand, in ${this.#manager.kind}`
      this.#service.ended(false)
    }
    if (observed.kind === 'ended') this.#lastExit = observed.lastExit
    const identity = observed.kind === 'running' ? identifyProcess(observed.pid) : undefined
    if (identity === undefined || !isProcessRunning(identity)) return false
    this.#running = { identity, sinceMs: this.#places.clock.elapsedMs() }
    this.#state = 'running'
    return true
  }

  async #startAgain(lastExit: string): Promise<void> {
    this.#lastExit = lastExit
    await delay(restartPauseMs(Math.max(this.#failures, 1)), this.#stopping.signal)
    this.#restarts += 1
    await this.#startOnce()
  }

  /** Nobody waits for it: it is tried again, later each time. */
  #note(error: ReleaseError): void {
    this.#failures += 1
    this.#state = 'backoff'
    this.#lastExit = error.message
    appendLogLine(logFileOf(this.#places, this.#service.name), this.#places.clock.nowMs(), error.message)
  }
}
