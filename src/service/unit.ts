import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { RecipeService } from '../recipe/schema.ts'
import { escapeSpecifiers, quoteUnitWord, renderHardening, renderSections } from './unit-text.ts'

/** A unit file as text. */
export interface Unit {
  readonly name: string
  readonly text: string
}

export interface UnitOptions {
  readonly application: string
  readonly summary: string
  readonly services: readonly RecipeService[]
  /** The absolute path of the payload on the file system, such as `/opt/notes`. */
  readonly root: string
  /** What `${NAME}` of the recipe's environment stands for, and `version`, `environment`. Never a secret: packages are public. */
  readonly variables: Readonly<Record<string, string>>
  /** The interpreter, such as `/usr/bin/node`; empty when the release brings its own. */
  readonly runtime: string
  /** The user that the package makes; one of systemd's making when absent. */
  readonly user?: string | undefined
}

/**
 * Render a systemd unit for each service of a package.
 *
 * Shape: `APPLICATION.service` when there is one service, else `APPLICATION-SERVICE.service`. Each runs as the package's user or one of systemd's making
 * (DynamicUser), that may write below `/var/lib/APPLICATION` only; `${shared}` is that folder. Secrets and local settings come from
 * `/etc/default/APPLICATION`. A listening service binds its port itself: `${port}` is the variable PORT, and the gate is not part of a package.
 * Errors: RECIPE_PLACEHOLDER. Source: systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.syntax(7).
 */
export function renderUnits(options: UnitOptions): readonly Unit[] {
  return options.services.map(service => ({
    name: unitName(options, service),
    text: renderUnit(service, options),
  }))
}

function unitName(options: UnitOptions, service: RecipeService): string {
  return options.services.length === 1
    ? `${options.application}.service`
    : `${options.application}-${service.name}.service`
}

function renderUnit(service: RecipeService, options: UnitOptions): string {
  const values = placeholderValues(options)
  const fill = (text: string, place: string) =>
    fillPlaceholders(text, values, `service ${service.name}, ${place}, in a systemd unit`)
  const environment = Object.entries(service.environment).map(
    ([name, text]) => `Environment=${quoteUnitWord(`${name}=${fill(text, name)}`, 'value')}`,
  )
  const command = service.command.map(word => fill(word, 'command'))
  const sections = {
    Unit: [
      `Description=${oneLine(options.summary)}${options.services.length === 1 ? '' : ` (${service.name})`}`,
      'After=network-online.target',
      'Wants=network-online.target',
    ],
    Service: [
      'Type=exec',
      `ExecStart=${execStart(command, options.root)}`,
      `WorkingDirectory=${escapeSpecifiers(directory(service, options.root))}`,
      ...environment,
      `EnvironmentFile=-/etc/default/${options.application}`,
      'Restart=on-failure',
      'RestartSec=1',
      `KillSignal=${service.stopSignal}`,
      `TimeoutStopSec=${Math.max(1, Math.ceil(service.stopTimeout / 1000))}`,
      ...identity(options),
      ...renderHardening(service.relax),
    ],
    Install: ['WantedBy=multi-user.target'],
  }
  return renderSections(sections)
}

function placeholderValues(options: UnitOptions): Readonly<Record<string, string>> {
  return {
    ...options.variables,
    port: options.variables['PORT'] ?? '',
    socket: `/run/${options.application}/${options.application}.sock`,
    release: options.root,
    prefix: options.root,
    shared: `/var/lib/${options.application}`,
    runtime: options.runtime,
  }
}

function identity({ application, user }: UnitOptions): readonly string[] {
  return [
    ...(user === undefined ? ['DynamicUser=yes', `User=${application}`] : [`User=${user}`]),
    `StateDirectory=${application}`,
    // As the package makes it, with its user: data of a service is not everyone's.
    ...(user === undefined ? [] : ['StateDirectoryMode=0750']),
    `RuntimeDirectory=${application}`,
  ]
}

function directory(service: RecipeService, root: string): string {
  return service.directory === undefined || service.directory === '.' ? root : `${root}/${service.directory}`
}

/** The first word must be absolute: systemd's search path is not the service's. A word with a slash is below the working directory's root. */
function execStart(command: readonly string[], root: string): string {
  const [file = '', ...args] = command
  const executable = file.includes('/') && !file.startsWith('/') ? `${root}/${file}` : file
  return [executable, ...args].map(word => quoteUnitWord(word, 'command')).join(' ')
}

function oneLine(text: string): string {
  return escapeSpecifiers(text.replace(/\s+/g, ' ').trim())
}
