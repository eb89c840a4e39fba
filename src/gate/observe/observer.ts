/** How a request ended, as far as the gate is concerned. `refused`: it could not be read, or breaks a limit. */
export type Outcome = 'answered' | 'failed' | 'abandoned' | 'backed-off' | 'healthy' | 'refused'

/** What is known of a request once it has ended. Times in milliseconds, sizes of bodies in bytes. */
export interface RequestRecord {
  readonly method: string
  readonly target: string
  readonly httpVersion: string
  readonly host: string | undefined
  readonly remoteAddress: string | undefined
  readonly userAgent: string | undefined
  readonly referrer: string | undefined
  /** The status that the client got; 499 when it hung up first. */
  readonly status: number
  readonly receivedBytes: number
  readonly sentBytes: number
  /** When it arrived, since 1970. */
  readonly arrivedMs: number
  /** From its arrival to the end of its answer. */
  readonly durationMs: number
  /** How much of that it was held. */
  readonly waitedMs: number
  readonly outcome: Outcome
  readonly bypassed: boolean
  /** Whether the version on trial answered it. */
  readonly isCanary: boolean
}

/** Who looks at the data path. Called once for each request; must cost next to nothing, and never throw. */
export interface Observer {
  readonly finished: (record: RequestRecord) => void
}
