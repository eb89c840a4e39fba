import { isErrno, type ReleaseError, toReleaseError } from '../../core/error.ts'
import type { ServiceStatus } from '../../core/service-status.ts'
import { delay } from '../../sys/clock.ts'
import { makeControlGroups, removeControlGroups } from '../../sys/control-group.ts'
import { appendLogLine } from '../../sys/log-file.ts'
import {
  describeExit,
  type ProcessExit,
  type RunningProcess,
  signalGroup,
  startProcess,
  watchProcess,
} from '../../sys/process.ts'
import type { DriverPlaces, ServiceDriver, ServiceHooks, ServiceSpec } from '../driver.ts'
import { launchService } from '../launch.ts'
import { findProcess, forgetService, rememberProcess, type StoppingService } from '../leftovers.ts'
import { LetGo, type LetGoEnd } from '../let-go.ts'
import { keepLogSmall, logFileOf } from '../log.ts'
import { failuresInARow, restartPauseMs } from '../restart.ts'

/** Run one service: start it, start it again when it ends by itself, stop it. */
export class EmbeddedDriver implements ServiceDriver {
  readonly #service: ServiceHooks
  readonly #places: DriverPlaces
  readonly #stopping = new AbortController()
  readonly #letGo = new LetGo()
  readonly #endLogKeeping: () => void
  #state: ServiceStatus['state'] = 'stopped'
  #running: { readonly process: RunningProcess; readonly spec: StoppingService; readonly sinceMs: number } | undefined
  #life: Promise<void> = Promise.resolve()
  #failures = 0
  #restarts = 0
  #lastExit: string | undefined

  constructor(service: ServiceHooks, places: DriverPlaces) {
    this.#service = service
    this.#places = places
    this.#endLogKeeping = keepLogSmall(this.#logFile)
  }

  /** Start it. Post: it runs, which is not yet that it is healthy. Errors: SERVICE_START_FAILED, RECIPE_PLACEHOLDER. */
  async start(): Promise<void> {
    this.#state = 'starting'
    try {
      await this.#startOnce()
    } catch (caught) {
      this.#state = 'stopped'
      this.#endLogKeeping()
      throw caught
    }
    this.#life = this.#live()
  }

  async adopt(): Promise<void> {
    const { runFolder, clock } = this.#places
    const found = findProcess(runFolder, this.#service.name)
    this.#running = { process: watchProcess(found), spec: found, sinceMs: clock.elapsedMs() }
    this.#state = 'running'
    this.#service.started()
    this.#life = this.#live()
  }

  letGo(): (end: LetGoEnd) => void {
    const decide = this.#letGo.begin()
    return end => {
      if (end === 'taken') {
        this.#endLogKeeping()
        this.#running?.process.unref()
      }
      decide(end)
    }
  }

  /** Stop it: its signal, its time, then SIGKILL for all of its process group. */
  async stop(): Promise<void> {
    this.#endLogKeeping()
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
    return logFileOf(this.#places, this.#service.name)
  }

  async #startOnce(): Promise<void> {
    const { spec, handed } = await this.#service.prepare()
    const process = await startProcess({
      ...this.#launch(spec),
      cwd: spec.cwd,
      logFile: this.#logFile,
      handed,
    })
    rememberProcess(this.#places.runFolder, spec, process.pid)
    this.#running = { process, spec, sinceMs: this.#places.clock.elapsedMs() }
    this.#state = 'running'
    this.#service.started()
    // Asked to stop while it was being started.
    if (this.#stopping.signal.aborted) await this.#end(process, spec)
  }

  #launch(spec: ServiceSpec) {
    const { joinFiles, unheld } = makeControlGroups(this.#groupName, spec.limits)
    if (unheld.length > 0) this.#log(`not limited here, for want of control groups of ours: ${unheld.join(', ')}`)
    return launchService(spec, joinFiles)
  }

  get #groupName(): string {
    return `${this.#places.instance}-${this.#service.name}`
  }

  async #live(): Promise<void> {
    while (this.#running !== undefined) {
      const { process, sinceMs } = this.#running
      const exit = await process.exited
      if (await this.#letGo.isTaken()) return
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
    removeControlGroups(this.#groupName)
    forgetService(this.#places.runFolder, this.#service.name)
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

  async #end(process: RunningProcess, spec: StoppingService): Promise<void> {
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
