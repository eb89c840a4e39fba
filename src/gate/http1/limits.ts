/** What one client may cost. Plain data: it travels to other processes as JSON. */
export interface ClientLimits {
  /** The longest head of a request. */
  readonly headBytes: number
  /** How many fields it may have. */
  readonly fields: number
  /** From the first byte of a head to its last. */
  readonly headTimeoutMs: number
  /** Between two requests. */
  readonly idleTimeoutMs: number
  /** Without progress of a body, either way. */
  readonly bodyTimeoutMs: number
  readonly connections: number
}

/** How the application is reached. */
export interface UpstreamSettings {
  /** Whether each connection begins with who the client is; then it serves that client's connection only. */
  readonly proxyProtocol: 'off' | 'v1' | 'v2'
  /** How long an answer may take to begin. */
  readonly timeoutMs: number
}
