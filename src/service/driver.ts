/** A service with every placeholder filled in: what a driver starts. Times in milliseconds. */
export interface ServiceSpec {
  readonly name: string
  readonly argv: readonly [string, ...string[]]
  readonly cwd: string
  /** The whole environment of the process. May hold secrets: never logged. */
  readonly environment: Readonly<Record<string, string>>
  readonly listens: boolean
  readonly stopSignal: 'SIGTERM' | 'SIGINT' | 'SIGQUIT'
  readonly stopTimeoutMs: number
}
