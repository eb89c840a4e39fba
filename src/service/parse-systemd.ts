import type { Observed } from './managed.ts'

/** Read what `systemctl show` says of a unit. Source: org.freedesktop.systemd1(5), systemctl(1). */
export function parseUnitState(text: string): Observed {
  const properties = Object.fromEntries(
    text.split('\n').map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
  )
  const pid = Number(properties['MainPID'])
  switch (properties['ActiveState']) {
    case 'active':
    case 'reloading':
      return pid > 0 ? { kind: 'running', pid } : { kind: 'starting' }
    case 'activating':
    case 'deactivating':
      return { kind: 'starting' }
    case 'failed':
      return { kind: 'ended', lastExit: describeEnd(properties) }
    default:
      return { kind: 'stopped' }
  }
}

/** CLD_EXITED of siginfo: the status is an exit code, else a signal. */
const exited = '1'

function describeEnd(properties: Readonly<Record<string, string>>): string {
  const { Result: result, ExecMainCode: code, ExecMainStatus: status } = properties
  return `${code === exited ? `exit code ${status}` : `signal ${status}`} (${result})`
}
