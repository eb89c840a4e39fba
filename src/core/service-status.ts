/** One service as the driver that runs it sees it. */
export interface ServiceStatus {
  readonly name: string
  readonly state: 'starting' | 'running' | 'backoff' | 'stopping' | 'stopped'
  readonly pid: number | undefined
  readonly restarts: number
  /** Why it last ended, such as `exit code 1` or `SIGKILL`. */
  readonly lastExit: string | undefined
}
