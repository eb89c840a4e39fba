import { socketUnitName } from './names.ts'
import { escapeSpecifiers, quoteUnitWord, renderSections } from './unit-text.ts'

/** A public socket as systemd opens it. */
export interface UnitSocket {
  /** Its name in LISTEN_FDNAMES; several sockets may share one. */
  readonly name: string
  /** As ListenStream has it. */
  readonly stream: string
}

/** What the units of a serving process say. Paths absolute. */
export interface ServeUnitOptions {
  /** What all units of the prefix are called by; see names.ts. */
  readonly instance: string
  readonly root: string
  /** The command that serves the prefix. */
  readonly argv: readonly string[]
  /** The public sockets that systemd opens; empty when the serving process does it itself. */
  readonly sockets: readonly UnitSocket[]
  /** Whose unix sockets are; root's when absent. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined
}

/** Unit files by their names. */
export type UnitFiles = Readonly<Record<string, string>>

/**
 * Render the units of `cutover serve` itself, for /etc/systemd/system: its service, and a socket unit for each name among the sockets,
 * for all sockets of a unit have one name.
 *
 * It is told to end and ends its services in their order, so systemd signals nobody else; when it dies, what it ran itself dies with it,
 * and units that it made stay until the next one ends them. With socket units the public sockets outlive it, and clients wait in their
 * queues meanwhile; that is also what lets units of services take the sockets in mode handover.
 * Source: systemd.service(5), systemd.socket(5), systemd.kill(5).
 */
export function renderServeUnits(options: ServeUnitOptions): UnitFiles {
  const names = [...new Set(options.sockets.map(socket => socket.name))]
  const sockets = names.map(name => [socketUnitName(options.instance, name), renderSocketUnit(options, name)] as const)
  return {
    [`${options.instance}.service`]: renderService(
      options,
      sockets.map(([unit]) => unit),
    ),
    ...Object.fromEntries(sockets),
  }
}

function renderService({ root, argv }: ServeUnitOptions, socketUnits: readonly string[]): string {
  const units = socketUnits.join(' ')
  return renderSections({
    Unit: [
      `Description=${escapeSpecifiers(`Gate and services of ${root}`)}`,
      'After=network-online.target',
      'Wants=network-online.target',
      ...(units === '' ? [] : [`Requires=${units}`, `After=${units}`]),
      'StartLimitIntervalSec=0',
    ],
    Service: [
      'Type=exec',
      // It names the process that takes its place when it is upgraded.
      'NotifyAccess=main',
      `ExecStart=${argv.map(word => quoteUnitWord(word, 'command')).join(' ')}`,
      `WorkingDirectory=${escapeSpecifiers(root)}`,
      ...(units === '' ? [] : [`Sockets=${units}`]),
      'Restart=always',
      'RestartSec=1',
      'KillMode=mixed',
      // Draining and the services' own time to stop come before.
      'TimeoutStopSec=10min',
      // For limits of what it runs itself.
      'Delegate=yes',
    ],
    Install: ['WantedBy=multi-user.target'],
  })
}

function renderSocketUnit({ instance, root, sockets, owner }: ServeUnitOptions, name: string): string {
  const ours = sockets.filter(socket => socket.name === name)
  const hasPath = ours.some(({ stream }) => stream.startsWith('/'))
  return renderSections({
    Unit: [`Description=${escapeSpecifiers(`Public socket ${name} of ${root}`)}`],
    Socket: [
      ...ours.map(({ stream }) => `ListenStream=${escapeSpecifiers(stream)}`),
      // One for both would be in the way of the one for IPv4; where there is none, IPv6 stands for both, as ListenStream has it.
      ...(ours.some(({ stream }) => isBesideIpv4(stream, sockets)) ? ['BindIPv6Only=ipv6-only'] : []),
      `FileDescriptorName=${name}`,
      `Service=${instance}.service`,
      'Backlog=4096',
      ...(hasPath && owner !== undefined ? [`SocketUser=${owner.uid}`, `SocketGroup=${owner.gid}`] : []),
    ],
    Install: ['WantedBy=sockets.target'],
  })
}

/** Whether a socket of IPv6 has the port of one of IPv4. */
function isBesideIpv4(stream: string, sockets: readonly UnitSocket[]): boolean {
  const port = /^\[.*\]:(\d+)$/.exec(stream)?.[1]
  return port !== undefined && sockets.some(other => /^[^[/].*:(\d+)$/.exec(other.stream)?.[1] === port)
}
