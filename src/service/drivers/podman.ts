import path from 'node:path'
import { ReleaseError, toReleaseError } from '../../core/error.ts'
import { execute, tryExecute } from '../../sys/exec.ts'
import { removeFile, writeFileAtomic } from '../../sys/files.ts'
import type { DriverPlaces, PreparedService, ServiceSpec } from '../driver.ts'
import type { StoppingService } from '../leftovers.ts'
import { logFileOf } from '../log.ts'
import type { Observed, ServiceManager } from '../managed.ts'
import { managedName } from '../names.ts'
import { parseContainerState } from '../parse-podman.ts'
import { renderPodmanEnvironment, renderPodmanRun } from '../render-podman.ts'

/** An image that is not there is pulled when its service is started. */
const longestStartMs = 600_000
const graceMs = 30_000

/** Run services as containers of podman. */
export class PodmanManager implements ServiceManager {
  readonly kind = 'podman'
  readonly #places: DriverPlaces

  constructor(places: DriverPlaces) {
    this.#places = places
  }

  async start({ spec, handed, port }: PreparedService): Promise<void> {
    if (handed.length > 0) {
      throw new ReleaseError(
        'SERVICE_DRIVER_UNSUITABLE',
        `${spec.name} cannot be given the public sockets by podman, as mode handover does`,
        { hint: 'use mode proxy, or driver embedded or systemd' },
      )
    }
    const { argv, done } = prepareContainer(this.#places, spec, { kind: 'service', port })
    try {
      // conmon puts a file called `oom` where it was started, when the kernel kills what is inside.
      await execute(argv, { cwd: this.#places.runFolder, timeoutMs: longestStartMs })
    } catch (caught) {
      const error = toReleaseError(caught)
      // The output without the command, which is long.
      const said = error.message.split('\n').slice(1)
      throw new ReleaseError('SERVICE_START_FAILED', [`podman cannot start ${spec.name}`, ...said].join('\n'), {
        cause: error,
        details: { container: managedName(this.#places.instance, spec.name), image: spec.container?.image },
      })
    } finally {
      done()
    }
  }

  async stop({ name, stopTimeoutMs }: StoppingService): Promise<void> {
    const container = managedName(this.#places.instance, name)
    const timeoutMs = stopTimeoutMs + graceMs
    const seconds = Math.max(1, Math.ceil(stopTimeoutMs / 1000))
    await this.#podman(['rm', '--force', '--ignore', `--time=${seconds}`, container], timeoutMs)
    removeFile(environmentFileOf(this.#places, name))
  }

  async observe(name: string): Promise<Observed> {
    const argv = [
      'podman',
      'inspect',
      '--type=container',
      '--format={{json .State}}',
      managedName(this.#places.instance, name),
    ] as const
    const { exitCode, stdout, stderr } = await tryExecute(argv, { timeoutMs: graceMs })
    if (exitCode === 0) return parseContainerState(stdout)
    const exists = await tryExecute(['podman', 'container', 'exists', managedName(this.#places.instance, name)], {
      timeoutMs: graceMs,
    })
    // Source: podman-container-exists(1): 1 is for one that does not exist.
    if (exists.exitCode === 1) return { kind: 'stopped' }
    throw new ReleaseError(
      'SERVICE_MANAGER_FAILED',
      `podman cannot inspect ${managedName(this.#places.instance, name)}: ${stderr.trim()}`,
    )
  }

  async #podman(args: readonly string[], timeoutMs: number): Promise<void> {
    const { exitCode, stderr } = await tryExecute(['podman', ...args], { timeoutMs })
    if (exitCode === 0) return
    const command = `podman ${args.join(' ')}`
    throw new ReleaseError('SERVICE_MANAGER_FAILED', `${command} ended with exit code ${exitCode}: ${stderr.trim()}`, {
      details: { command, exitCode },
    })
  }
}

/** The words that start a container. */
export interface PreparedContainer {
  readonly argv: readonly [string, ...string[]]
  /** Take away what was needed to start it. */
  readonly done: () => void
  /** Remove the container: podman's own end is not its. */
  readonly remove: () => Promise<void>
}

/**
 * Write down what a container needs, and render the command that starts it.
 *
 * Errors: SERVICE_DRIVER_UNSUITABLE. Crash: the file with its variables stays in `run/`, for its owner alone, until the service is stopped by its name.
 */
export function prepareContainer(
  places: DriverPlaces,
  spec: ServiceSpec,
  { kind, port }: { readonly kind: 'service' | 'job'; readonly port: string },
): PreparedContainer {
  const { container } = spec
  if (container === undefined)
    throw new ReleaseError(
      'SERVICE_DRIVER_UNSUITABLE',
      `service ${spec.name} names no container, which driver podman runs`,
    )
  const environmentFile = environmentFileOf(places, spec.name)
  const run = renderPodmanRun(spec, container, {
    container: managedName(places.instance, spec.name),
    instance: places.instance,
    environmentFile,
    logFile: logFileOf(places, spec.name),
    port,
    kind,
  })
  writeFileAtomic(environmentFile, renderPodmanEnvironment(spec.environment), { mode: 0o600, durable: false })
  const remove = ['podman', 'rm', '--force', '--ignore', '--time=1', managedName(places.instance, spec.name)] as const
  return {
    argv: ['podman', ...run],
    done: () => removeFile(environmentFile),
    remove: async () => void (await tryExecute(remove, { timeoutMs: graceMs })),
  }
}

function environmentFileOf({ runFolder }: DriverPlaces, name: string): string {
  return path.join(runFolder, `service-${name}.env`)
}
