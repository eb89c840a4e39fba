import { ReleaseError } from '../../core/error.ts'

/** One server of a backend, as HAProxy tells it. */
export interface ServerState {
  readonly port: number
  /** Whether it was told to get requests: neither in maintenance nor being drained. */
  readonly isReady: boolean
}

/**
 * Read what HAProxy tells of a server of a backend.
 *
 * Shape: a line `1`, a comment with the names of the columns, a line for each server. Columns are found by their names.
 * Errors: GATE_SERVER_REFUSED when the server is not there. Source: HAProxy Management Guide §9.3, "show servers state".
 */
export function parseServerState(shown: string, backend: string, server: string): ServerState {
  const { lines, row, column } = find(shown, backend, server)
  const values = lines[row]!.split(' ')
  // 1: told to be in maintenance, 4: by the configuration, 8: told to drain; others come from what it tracks or resolves.
  return { port: Number(values[column('srv_port')]), isReady: (Number(values[column('srv_admin_state')]) & 13) === 0 }
}

/**
 * Write what HAProxy reads at its start, so that a reload keeps what it was told at run time: what it shows, with another state of one server.
 *
 * Servers are found by their names there. The address is not among what it takes for a server that its configuration has by number: that
 * stays 127.0.0.1; the port is taken. Errors: GATE_SERVER_REFUSED. Source: HAProxy Configuration Manual, load-server-state-from-file.
 */
export function serverStateText(
  shown: string,
  backend: string,
  server: string,
  { port, isReady }: ServerState,
): string {
  const { lines, row, column } = find(shown, backend, server)
  const values = lines[row]!.split(' ')
  values[column('srv_port')] = String(port)
  values[column('srv_op_state')] = isReady ? '2' : '0'
  values[column('srv_admin_state')] = isReady ? '0' : '1'
  // Else every reading would be another file.
  values[column('srv_time_since_last_change')] = '0'
  return `${lines.with(row, values.join(' ')).join('\n')}\n`
}

function find(shown: string, backend: string, server: string) {
  const lines = shown.trim().split('\n')
  const names = (lines.find(line => line.startsWith('# ')) ?? '').slice(2).split(' ')
  const column = (name: string) => names.indexOf(name)
  const row = lines.findIndex(line => {
    const values = line.split(' ')
    return values[column('be_name')] === backend && values[column('srv_name')] === server
  })
  if (row >= 0) return { lines, row, column }
  throw new ReleaseError('GATE_SERVER_REFUSED', `HAProxy has no server ${server} in its backend ${backend}`, {
    details: { backend, server },
  })
}
