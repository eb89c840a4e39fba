import { ReleaseError } from '../core/error.ts'
import type { PreparedService } from './driver.ts'
import { escapeSpecifiers, quoteUnitWord, renderHardening, renderSections } from './unit-text.ts'

/** What a unit of a prefix says besides its service. Paths absolute. */
export interface UnitPlaces {
  readonly unit: string
  readonly root: string
  readonly environmentFile: string
  readonly logFile: string
  /** Folders that the service may write to. */
  readonly writable: readonly string[]
  /** The socket units that hand over the public sockets; empty in mode proxy. */
  readonly socketUnits: readonly string[]
}

/**
 * Render the unit of a service of a prefix.
 *
 * Its environment is in a file that only root can read, never here. It is started again for ever, after a second each time. Pre: the
 * first word of the command is an absolute path. Errors: RECIPE_PLACEHOLDER for what a unit cannot say.
 * Source: systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.resource-control(5).
 */
export function renderServiceUnit(
  { spec, socket }: Pick<PreparedService, 'spec' | 'socket'>,
  places: UnitPlaces,
): string {
  const seconds = (milliseconds: number) => `${milliseconds / 1000}s`
  return renderSections({
    Unit: [
      `Description=${escapeSpecifiers(`${spec.name} of ${places.root}`)}`,
      'After=network-online.target',
      'StartLimitIntervalSec=0',
    ],
    Service: [
      ...(spec.notifies ? ['Type=notify', 'NotifyAccess=all'] : ['Type=exec']),
      // Left by the life before, it would be in the way of the next.
      ...(socket === '' ? [] : [`ExecStartPre=/bin/rm -f ${quoteUnitWord(socket, 'command')}`]),
      `ExecStart=${spec.argv.map(word => quoteUnitWord(word, 'command')).join(' ')}`,
      `WorkingDirectory=${escapeSpecifiers(spec.cwd)}`,
      `EnvironmentFile=${escapeSpecifiers(places.environmentFile)}`,
      `StandardOutput=append:${escapeSpecifiers(places.logFile)}`,
      'StandardError=inherit',
      'Restart=always',
      'RestartSec=1',
      `KillSignal=${spec.stopSignal}`,
      `TimeoutStopSec=${seconds(spec.stopTimeoutMs)}`,
      ...(places.socketUnits.length === 0 ? [] : [`Sockets=${places.socketUnits.join(' ')}`]),
      ...renderUser(spec),
      ...renderLimits(spec),
      ...renderHardening(spec.relax, {
        ...(isHidden([spec.argv[0]!, places.root], ['/home', '/root', '/run/user'])
          ? { ProtectHome: 'read-only' }
          : {}),
        ...(isHidden([spec.argv[0]!, places.root], ['/tmp', '/var/tmp']) ? { PrivateTmp: 'no' } : {}),
      }),
      `ReadWritePaths=${places.writable.map(folder => quoteUnitWord(`-${folder}`, 'value')).join(' ')}`,
    ],
  })
}

/** What a prefix keeps where systemd would hide it must still be seen. */
function isHidden(paths: readonly string[], folders: readonly string[]): boolean {
  return paths.some(path => folders.some(folder => path.startsWith(`${folder}/`)))
}

function renderUser({ account }: PreparedService['spec']): readonly string[] {
  if (account === undefined) return []
  const { uid, gid, groups } = account
  return [`User=${uid}`, `Group=${gid}`, `SupplementaryGroups=${groups.join(' ')}`]
}

function renderLimits({ limits }: PreparedService['spec']): readonly string[] {
  const { memoryBytes, openFiles, processes, cpu } = limits
  return [
    ...(memoryBytes === undefined ? [] : [`MemoryMax=${memoryBytes}`, 'MemorySwapMax=0']),
    ...(openFiles === undefined ? [] : [`LimitNOFILE=${openFiles}`]),
    ...(processes === undefined ? [] : [`TasksMax=${processes}`]),
    ...(cpu === undefined ? [] : [`CPUQuota=${Math.max(1, Math.round(cpu * 100))}%`]),
  ]
}

/**
 * Render variables for a unit's EnvironmentFile: a value may hold line ends and any sign but NUL.
 *
 * Errors: RECIPE_PLACEHOLDER. Source: systemd.exec(5), EnvironmentFile: between double quotes a backslash keeps what follows.
 */
export function renderEnvironmentFile(environment: Readonly<Record<string, string>>): string {
  return Object.entries(environment)
    .map(([name, value]) => {
      if (value.includes('\0')) throw new ReleaseError('RECIPE_PLACEHOLDER', `the variable ${name} holds a NUL`)
      return `${name}="${value.replaceAll(/[\\"$`]/g, '\\$&')}"\n`
    })
    .join('')
}
