import path from 'node:path'
import { isErrno, type ReleaseError, toReleaseError } from '../../core/error.ts'
import type { ServiceStatus } from '../../core/service-status.ts'
import type { Clock } from '../../sys/clock.ts'
import { delay } from '../../sys/clock.ts'
import { appendLogLine, rotateLog } from '../../sys/log-file.ts'
import { describeExit, type ProcessExit, type RunningProcess, signalGroup, startProcess } from '../../sys/process.ts'
import type { ServiceSpec } from '../driver.ts'
import { forgetProcess, rememberProcess } from '../leftovers.ts'
import { failuresInARow, restartPauseMs } from '../restart.ts'

/** A service with everything that one start of it needs. */
export interface PreparedService {
  readonly spec: ServiceSpec
  readonly listenDescriptor: number | undefined
}

/** What a service is to the embedded driver. */
export interface EmbeddedService {
  readonly name: string
  /** Called before every start, restarts included. */
  readonly prepare: () => Promise<PreparedService>
  /** Called after every start. */
  readonly started: () => void
  /** Called when it ended; `returns` tells whether it is started again. */
  readonly ended: (returns: boolean) => void
}

/** Where a driver keeps what it needs, and what time it is. */
export interface EmbeddedPlaces {
  readonly runFolder: string
  readonly logFolder: string
  readonly clock: Clock
}

const largestLogBytes = 16 * 1024 * 1024
const logCheckMs = 30_000

/** Run one service: start it, start it again when it ends by itself, stop it. */
export class EmbeddedDriver {
  readonly #service: EmbeddedService
  readonly #places: EmbeddedPlaces
  readonly #stopping = new AbortController()
  readonly #logTimer: NodeJS.Timeout
  #state: ServiceStatus['state'] = 'stopped'
  #running: { readonly process: RunningProcess; readonly spec: ServiceSpec; readonly sinceMs: number } | undefined
  #life: Promise<void> = Promise.resolve()
  #failures = 0
  #restarts = 0
  #lastExit: string | undefined

  constructor(service: EmbeddedService, places: EmbeddedPlaces) {
    this.#service = service
    this.#places = places
    this.#logTimer = setInterval(() => rotateLog(this.#logFile, largestLogBytes), logCheckMs)
    this.#logTimer.unref()
  }

  /** Start it. Post: it runs, which is not yet that it is healthy. Errors: SERVICE_START_FAILED, RECIPE_PLACEHOLDER. */
  async start(): Promise<void> {
    this.#state = 'starting'
    try {
      await this.#startOnce()
    } catch (caught) {
      this.#state = 'stopped'
      clearInterval(this.#logTimer)
      throw caught
    }
    this.#life = this.#live()
  }

  /** Stop it: its signal, its time, then SIGKILL for all of its process group. */
  async stop(): Promise<void> {
    clearInterval(this.#logTimer)
    this.#stopping.abort()
    if (this.#running !== undefined) {
      this.#state = 'stopping'
      await this.#end(this.#running.process, this.#running.spec)
    }
    await this.#life
    this.#state = 'stopped'
  }

  status(): ServiceStatus {
    return {
      name: this.#service.name,
      state: this.#state,
      pid: this.#running?.process.pid,
      restarts: this.#restarts,
      lastExit: this.#lastExit,
    }
  }

  get #logFile(): string {
    return path.join(this.#places.logFolder, `${this.#service.name}.log`)
  }

  async #startOnce(): Promise<void> {
    const { spec, listenDescriptor } = await this.#service.prepare()
    rotateLog(this.#logFile, largestLogBytes)
    const process = await startProcess({ ...spec, logFile: this.#logFile, listenDescriptor })
    rememberProcess(this.#places.runFolder, spec, process.pid)
    this.#running = { process, spec, sinceMs: this.#places.clock.elapsedMs() }
    this.#state = 'running'
    this.#service.started()
    // Asked to stop while it was being started.
    if (this.#stopping.signal.aborted) await this.#end(process, spec)
  }

  async #live(): Promise<void> {
    while (this.#running !== undefined) {
      const { process, sinceMs } = this.#running
      const exit = await process.exited
      this.#recordExit(exit, process.pid)
      if (this.#stopping.signal.aborted) break
      this.#failures = failuresInARow(this.#failures, this.#places.clock.elapsedMs() - sinceMs)
      await this.#restart()
    }
    if (this.#stopping.signal.aborted) this.#service.ended(false)
  }

  #recordExit(exit: ProcessExit, pid: number): void {
    // Its children must not outlive it: they would hold the port or the socket.
    signalGroup(pid, 'SIGKILL')
    forgetProcess(this.#places.runFolder, this.#service.name)
    this.#running = undefined
    this.#lastExit = describeExit(exit)
    this.#log(`process ${pid} ended: ${this.#lastExit}`)
  }

  async #restart(): Promise<void> {
    this.#state = 'backoff'
    this.#service.ended(true)
    while (this.#running === undefined) {
      try {
        await delay(restartPauseMs(this.#failures), this.#stopping.signal)
      } catch (caught) {
        if (this.#stopping.signal.aborted) return
        throw caught
      }
      this.#restarts += 1
      try {
        await this.#startOnce()
      } catch (caught) {
        this.#failures += 1
        this.#noteFailure(toReleaseError(caught))
      }
    }
  }

  #noteFailure(error: ReleaseError): void {
    this.#lastExit = error.message
    this.#log(`cannot be started: ${error.message}`)
  }

  async #end(process: RunningProcess, spec: ServiceSpec): Promise<void> {
    signalGroup(process.pid, spec.stopSignal)
    const timeout = new AbortController()
    const late = delay(spec.stopTimeoutMs, timeout.signal).then(
      () => {
        this.#log(`process ${process.pid} did not end within ${spec.stopTimeoutMs} ms of ${spec.stopSignal}`)
        signalGroup(process.pid, 'SIGKILL')
      },
      () => {},
    )
    await process.exited
    timeout.abort()
    await late
  }

  #log(line: string): void {
    try {
      appendLogLine(this.#logFile, this.#places.clock.nowMs(), line)
    } catch (caught) {
      // A full disk must not keep a service from being started again.
      if (!isErrno(caught)) throw caught
    }
  }
}
