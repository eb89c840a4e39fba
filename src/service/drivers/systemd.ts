import path from 'node:path'
import { ReleaseError } from '../../core/error.ts'
import { tryExecute } from '../../sys/exec.ts'
import { makeFolder, removeFile, writeFileAtomic } from '../../sys/files.ts'
import { readLastLines } from '../../sys/log-file.ts'
import { findExecutable } from '../command.ts'
import type { DriverPlaces, PreparedService } from '../driver.ts'
import type { StoppingService } from '../leftovers.ts'
import { logFileOf } from '../log.ts'
import type { Observed, ServiceManager } from '../managed.ts'
import { managedName, socketUnitName } from '../names.ts'
import { parseUnitState } from '../parse-systemd.ts'
import { renderEnvironmentFile, renderServiceUnit } from '../render-systemd.ts'

/** Units that do not outlive a boot: whoever serves the prefix writes them anew. */
const unitFolder = '/run/systemd/system'
/** How long systemd may take beyond what the service may. */
const graceMs = 30_000
/** A unit that tells when it is ready gets systemd's own limit, 90 s. */
const longestStartMs = 90_000

/** Run services as units of systemd. */
export class SystemdManager implements ServiceManager {
  readonly kind = 'systemd'
  readonly #places: DriverPlaces

  constructor(places: DriverPlaces) {
    this.#places = places
  }

  async start(prepared: PreparedService): Promise<void> {
    const { spec } = prepared
    const unit = this.#unit(spec.name)
    const argv = findExecutable(spec)
    await this.#assertSockets(prepared)
    const text = renderServiceUnit({ spec: { ...spec, argv }, socket: prepared.socket }, this.#unitPlaces(prepared))
    writeFileAtomic(this.#environmentFile(spec.name), renderEnvironmentFile(spec.environment), {
      mode: 0o600,
      durable: false,
    })
    makeFolder(unitFolder)
    writeFileAtomic(path.join(unitFolder, unit), text, { durable: false })
    await this.#ask(['daemon-reload'])
    const { exitCode, stderr } = await this.#systemctl(['restart', unit], longestStartMs + graceMs)
    if (exitCode === 0) return
    const log = readLastLines(logFileOf(this.#places, spec.name), 8)
    throw new ReleaseError(
      'SERVICE_START_FAILED',
      [`systemd cannot start ${unit}: ${stderr.trim()}`, ...log].join('\n'),
      {
        hint: `look at it with systemctl status ${unit}`,
        details: { unit, exitCode },
      },
    )
  }

  async stop({ name, stopTimeoutMs }: StoppingService): Promise<void> {
    const unit = this.#unit(name)
    const { exitCode, stderr } = await this.#systemctl(['stop', unit], stopTimeoutMs + graceMs)
    if (exitCode !== 0 && exitCode !== notLoaded) throw failed(['stop', unit], exitCode, stderr)
    removeFile(path.join(unitFolder, unit))
    removeFile(this.#environmentFile(name))
    await this.#ask(['daemon-reload'])
    // Forgotten with its failures; one that had none is not known any more.
    await this.#systemctl(['reset-failed', unit], graceMs)
  }

  async observe(name: string): Promise<Observed> {
    const properties = ['ActiveState', 'SubState', 'MainPID', 'Result', 'ExecMainCode', 'ExecMainStatus']
    return parseUnitState(await this.#ask(['show', this.#unit(name), `--property=${properties.join(',')}`]))
  }

  #unitPlaces({ spec, handed, writable }: PreparedService) {
    const { root } = this.#places
    return {
      unit: this.#unit(spec.name),
      root,
      environmentFile: this.#environmentFile(spec.name),
      logFile: logFileOf(this.#places, spec.name),
      writable,
      socketUnits: handed.length === 0 ? [] : this.#socketUnits(),
    }
  }

  /** All sockets of a name come from one unit. */
  #socketUnits(): readonly string[] {
    const { instance, inheritedNames } = this.#places
    return [...new Set(inheritedNames)].map(name => socketUnitName(instance, name))
  }

  /** A unit that is given sockets by nobody would start without. Errors: SERVICE_DRIVER_UNSUITABLE, SERVICE_MANAGER_FAILED. */
  async #assertSockets({ spec, handed }: PreparedService): Promise<void> {
    if (handed.length === 0) return
    const units = this.#socketUnits()
    const states = units.length === 0 ? '' : await this.#ask(['show', ...units, '--property=ActiveState', '--value'])
    if (units.length > 0 && states.split(/\s+/).filter(state => state === 'active').length === units.length) return
    throw new ReleaseError(
      'SERVICE_DRIVER_UNSUITABLE',
      `${spec.name} is given the public sockets by systemd in mode handover, which takes socket units that serve ${this.#places.root}`,
      {
        hint: 'serve it by socket units (see `cutover serve --write-units FOLDER --with-socket`), or use mode proxy',
        details: { units },
      },
    )
  }

  #unit(name: string): string {
    return `${managedName(this.#places.instance, name)}.service`
  }

  #environmentFile(name: string): string {
    return path.join(this.#places.runFolder, `service-${name}.env`)
  }

  async #ask(args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.#systemctl(args, graceMs)
    if (exitCode === 0) return stdout
    throw failed(args, exitCode, stderr)
  }

  #systemctl(args: readonly string[], timeoutMs: number) {
    return tryExecute(['systemctl', '--no-ask-password', ...args], { timeoutMs })
  }
}

/** What systemctl ends with for a unit that is not there. Source: systemctl(1), exit status. */
const notLoaded = 5

function failed(args: readonly string[], exitCode: number, stderr: string): ReleaseError {
  const command = `systemctl ${args.join(' ')}`
  return new ReleaseError('SERVICE_MANAGER_FAILED', `${command} ended with exit code ${exitCode}: ${stderr.trim()}`, {
    details: { command, exitCode },
  })
}
