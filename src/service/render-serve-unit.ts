import { escapeSpecifiers, quoteUnitWord, renderSections } from './unit-text.ts'

/** What the units of a serving process say. Paths absolute. */
export interface ServeUnitOptions {
  /** Both units are called so; see {@link instanceName} of drivers.ts. */
  readonly instance: string
  readonly root: string
  /** The command that serves the prefix. */
  readonly argv: readonly string[]
  /** The public address as systemd writes it; absent when the serving process opens it itself. */
  readonly listenStream: string | undefined
}

/** Unit files by their names. */
export type UnitFiles = Readonly<Record<string, string>>

/**
 * Render the units of `cutover serve` itself, for /etc/systemd/system.
 *
 * It is told to end and ends its services in their order, so systemd signals nobody else; when it dies, what it ran itself dies with it,
 * and units that it made stay until the next one ends them. With a socket unit the public socket outlives it, and clients wait in its
 * queue meanwhile; that is also what lets units of services take the socket in mode handover.
 * Source: systemd.service(5), systemd.socket(5), systemd.kill(5).
 */
export function renderServeUnits({ instance, root, argv, listenStream }: ServeUnitOptions): UnitFiles {
  const socket = `${instance}.socket`
  const service = renderSections({
    Unit: [
      `Description=${escapeSpecifiers(`Gate and services of ${root}`)}`,
      'After=network-online.target',
      'Wants=network-online.target',
      ...(listenStream === undefined ? [] : [`Requires=${socket}`, `After=${socket}`]),
      'StartLimitIntervalSec=0',
    ],
    Service: [
      'Type=exec',
      `ExecStart=${argv.map(word => quoteUnitWord(word, 'command')).join(' ')}`,
      `WorkingDirectory=${escapeSpecifiers(root)}`,
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
  if (listenStream === undefined) return { [`${instance}.service`]: service }
  return {
    [`${instance}.service`]: service,
    [socket]: renderSections({
      Unit: [`Description=${escapeSpecifiers(`Public socket of ${root}`)}`],
      Socket: [`ListenStream=${escapeSpecifiers(listenStream)}`, `FileDescriptorName=${socket}`, 'Backlog=4096'],
      Install: ['WantedBy=sockets.target'],
    }),
  }
}
