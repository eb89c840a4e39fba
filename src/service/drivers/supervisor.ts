import path from 'node:path'
import { ReleaseError } from '../../core/error.ts'
import { makeControlGroups, removeControlGroups } from '../../sys/control-group.ts'
import { readFile, removeFile, writeFileAtomic } from '../../sys/files.ts'
import { appendLogLine } from '../../sys/log-file.ts'
import { callRpc, type RpcAnswer } from '../../sys/xml-rpc.ts'
import type { DriverPlaces, PreparedService, ServiceSpec } from '../driver.ts'
import { launchService } from '../launch.ts'
import type { StoppingService } from '../leftovers.ts'
import { logFileOf } from '../log.ts'
import type { Observed, ServiceManager } from '../managed.ts'
import { managedName } from '../names.ts'
import { parseProcessInfo, parseSupervisorConfiguration, type SupervisorPlaces } from '../parse-supervisor.ts'
import { renderProgram, renderProgramScript } from '../render-supervisor.ts'

const usualConfiguration = '/etc/supervisor/supervisord.conf'
const callMs = 30_000

/** Faults that are no failure here. Source: supervisor 4.2, xmlrpc.Faults. */
const faults = { badName: 10, notRunning: 70 } as const

/** Run services as programs of a supervisord. */
export class SupervisorManager implements ServiceManager {
  readonly kind = 'supervisor'
  readonly #places: DriverPlaces
  #supervisor: SupervisorPlaces | undefined

  constructor(places: DriverPlaces) {
    this.#places = places
  }

  async start({ spec, socket, handed }: PreparedService): Promise<void> {
    if (handed.length > 0) {
      throw new ReleaseError(
        'SERVICE_DRIVER_UNSUITABLE',
        `${spec.name} cannot be given the public sockets by supervisor, as mode handover does`,
        { hint: 'use mode proxy, or driver embedded or systemd' },
      )
    }
    await this.stop(spec)
    const program = this.#program(spec.name)
    this.#write(spec, socket, program)
    await this.#call('reloadConfig', [])
    await this.#call('addProcessGroup', [program])
    const answer = await this.#ask('startProcess', [program, false])
    if (answer.kind === 'done') return
    throw new ReleaseError('SERVICE_START_FAILED', `supervisor cannot start ${program}: ${answer.message}`, {
      details: { program, faultCode: answer.code },
    })
  }

  async stop({ name, stopTimeoutMs }: StoppingService): Promise<void> {
    const program = this.#program(name)
    const answer = await this.#ask('stopProcess', [program, true], stopTimeoutMs + callMs)
    if (answer.kind === 'done' || answer.code === faults.notRunning) await this.#call('removeProcessGroup', [program])
    else if (answer.code !== faults.badName) throw managerFailed('stopProcess', answer)
    removeFile(this.#programFile(program))
    await this.#call('reloadConfig', [])
    removeFile(this.#scriptFile(name))
    removeControlGroups(program)
  }

  async observe(name: string): Promise<Observed> {
    const answer = await this.#ask('getProcessInfo', [this.#program(name)])
    if (answer.kind === 'done') return parseProcessInfo(answer.members)
    if (answer.code === faults.badName) return { kind: 'stopped' }
    throw managerFailed('getProcessInfo', answer)
  }

  #write(spec: ServiceSpec, socket: string, program: string): void {
    const { joinFiles, unheld } = makeControlGroups(program, spec.limits)
    const logFile = logFileOf(this.#places, spec.name)
    if (unheld.length > 0) {
      const line = `not limited here, for want of control groups of ours: ${unheld.join(', ')}`
      appendLogLine(logFile, this.#places.clock.nowMs(), line)
    }
    const scriptFile = this.#scriptFile(spec.name)
    const script = renderProgramScript(launchService(spec, joinFiles), { cwd: spec.cwd, socket })
    writeFileAtomic(scriptFile, script, { mode: 0o600, durable: false })
    writeFileAtomic(this.#programFile(program), renderProgram(spec, { program, scriptFile, logFile }), {
      durable: false,
    })
  }

  #program(name: string): string {
    return managedName(this.#places.instance, name)
  }

  #programFile(program: string): string {
    return path.join(this.#at().programFolder, `${program}.conf`)
  }

  #scriptFile(name: string): string {
    return path.join(this.#places.runFolder, `service-${name}.sh`)
  }

  #at(): SupervisorPlaces {
    const file = this.#places.environment['CUTOVER_SUPERVISORD_CONF'] ?? usualConfiguration
    this.#supervisor ??= parseSupervisorConfiguration(readFile(file).toString('utf8'), file)
    return this.#supervisor
  }

  async #call(method: string, parameters: readonly string[]): Promise<void> {
    const answer = await this.#ask(method, parameters)
    if (answer.kind === 'fault') throw managerFailed(method, answer)
  }

  #ask(method: string, parameters: readonly (string | boolean)[], timeoutMs = callMs): Promise<RpcAnswer> {
    return callRpc(this.#at().socket, `supervisor.${method}`, parameters, timeoutMs)
  }
}

type Fault = RpcAnswer & { readonly kind: 'fault' }

function managerFailed(method: string, { code, message }: Fault): ReleaseError {
  return new ReleaseError('SERVICE_MANAGER_FAILED', `supervisor failed in ${method}: ${message}`, {
    details: { method, faultCode: code },
  })
}
