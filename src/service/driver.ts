import type { ServiceStatus } from '../core/service-status.ts'
import type { Account } from '../sys/account.ts'
import type { Clock } from '../sys/clock.ts'
import type { HandedSocket } from '../sys/process.ts'
import type { LetGoEnd } from './let-go.ts'

/** Who runs services. */
export type DriverKind = 'embedded' | 'systemd' | 'supervisor' | 'podman'

/** What a service may use; nothing is limited where nothing is said. `cpu` in processors. */
export interface ServiceLimits {
  readonly memoryBytes: number | undefined
  readonly openFiles: number | undefined
  readonly processes: number | undefined
  readonly cpu: number | undefined
}

/** A folder or file of this machine that a container has. Paths absolute. */
export interface Mount {
  readonly from: string
  readonly to: string
  readonly readOnly: boolean
}

/** The container of a service. */
export interface ContainerSpec {
  /** The image by its digest: `NAME@sha256:…`. */
  readonly image: string
  readonly network: 'host' | 'bridge' | 'none'
  readonly mounts: readonly Mount[]
  /** Where in the container the command runs; where the image says when absent. */
  readonly workingDirectory: string | undefined
  /** Whether the command is what the image's entry point gets, rather than what runs in its place. */
  readonly keepsEntrypoint: boolean
}

/** A service with every placeholder filled in: what a driver starts. Times in milliseconds. */
export interface ServiceSpec {
  readonly name: string
  /** Empty only where a container runs what its image says. */
  readonly argv: readonly string[]
  readonly cwd: string
  /** The whole environment of the process. May hold secrets: never logged. */
  readonly environment: Readonly<Record<string, string>>
  readonly listens: boolean
  readonly stopSignal: 'SIGTERM' | 'SIGINT' | 'SIGQUIT'
  readonly stopTimeoutMs: number
  /** Whether it tells when it is ready. Source: sd_notify(3). */
  readonly notifies: boolean
  readonly limits: ServiceLimits
  /** Whom it runs as; as we do when absent. */
  readonly account: Account | undefined
  /** Settings of systemd's hardening that it cannot live with. */
  readonly relax: readonly string[]
  readonly container: ContainerSpec | undefined
}

/** A service with everything that one start of it needs. */
export interface PreparedService {
  readonly spec: ServiceSpec
  /** The public sockets that it is given in mode handover, on which it accepts itself; else empty. */
  readonly handed: readonly HandedSocket[]
  /** Where it listens in mode proxy: a port or a unix socket, the other empty; both where it does not. */
  readonly port: string
  readonly socket: string
  /** Folders of the prefix that it may write to. */
  readonly writable: readonly string[]
}

/** What a driver asks about a service, and what it tells. */
export interface ServiceHooks {
  readonly name: string
  /** Called before every start by us; not before one that a service manager makes by itself. */
  readonly prepare: () => Promise<PreparedService>
  /** Called after every start, whoever made it. */
  readonly started: () => void
  /** Called when it ended; `returns` tells whether it is started again. */
  readonly ended: (returns: boolean) => void
}

/** Where drivers keep what they need, and what time it is. Paths absolute. */
export interface DriverPlaces {
  /** What units, programs and containers of this prefix are called by: no other prefix of the machine has it. */
  readonly instance: string
  /** The prefix. */
  readonly root: string
  readonly runFolder: string
  readonly logFolder: string
  readonly clock: Clock
  /** Our own environment, with which service managers are asked. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The names of the listening sockets that were handed to us; those of our socket units, when systemd did. Empty: we open our own. */
  readonly inheritedNames: readonly string[]
}

/**
 * One service of one release, run by whoever: started, started again when it ends by itself, stopped.
 *
 * Its output goes to `LOGFOLDER/SERVICE.log` with every driver. It runs on when our process dies; the next one ends it by its name
 * (see service/leftovers.ts). An object lives once: start or adopt, then stop or let go.
 */
export interface ServiceDriver {
  /** Start it. Post: it was started, and says that it is ready where it tells. Errors: SERVICE_START_FAILED, RECIPE_PLACEHOLDER, SERVICE_DRIVER_UNSUITABLE. */
  readonly start: () => Promise<void>
  /**
   * Take over what an earlier serving process started and let go of, instead of {@link start}. Post: it is run as if we had started
   * it; one that has ended meanwhile is started again. Errors: SERVICE_ADOPT_FAILED.
   */
  readonly adopt: () => Promise<void>
  /**
   * Let go of it, for another process to adopt: from now on nothing is done about it.
   *
   * Post: the result is to be called once: with `taken` it is not ours any more, else everything is as before, its end meanwhile included.
   */
  readonly letGo: () => (end: LetGoEnd) => void
  /** Stop it: its signal, its time, then SIGKILL. Post: nothing of it runs, and it is not started again. */
  readonly stop: () => Promise<void>
  /** What was last seen of it. */
  readonly status: () => ServiceStatus
}
