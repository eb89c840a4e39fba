import path from 'node:path'
import { fillPlaceholders, placeholderNames } from '../recipe/placeholders.ts'
import type { RecipeService } from '../recipe/schema.ts'
import type { Account } from '../sys/account.ts'
import type { ServiceSpec } from './driver.ts'
import type { ServiceJob } from './job.ts'

/** What the listening service is told about where it accepts, as placeholder values. */
export interface ListeningPlaceholders {
  /** `proxy`: a free port of 127.0.0.1. `handover`: the public port, for information. */
  readonly port: string
  /** `proxy`: the path of a unix socket. `handover`: empty. */
  readonly socket: string
}

/** Tell whether a service accepts on a unix socket rather than a port: whether it uses `${socket}`. */
export function usesSocket(service: RecipeService): boolean {
  const texts = [...service.command, ...Object.values(service.environment)]
  return texts.some(text => placeholderNames(text).includes('socket'))
}

/**
 * Fill in everything that a service of a release needs to be started.
 *
 * Shape: the environment is `base`, then the values with upper-case names (variables of the environment and secrets), then what the
 * recipe gives the service. What a container is, is added by whoever knows images (see service/container.ts). Errors: RECIPE_PLACEHOLDER.
 */
export function resolveServices(options: {
  readonly services: readonly RecipeService[]
  readonly values: Readonly<Record<string, string>>
  readonly releaseFolder: string
  readonly listening: ListeningPlaceholders
  readonly base: Readonly<Record<string, string>>
  /** Whom the services run as; as we do when absent. */
  readonly account?: Account | undefined
}): readonly ServiceSpec[] {
  return options.services.map(service => resolveService(service, options))
}

/**
 * Fill in the jobs of a service: the service itself with another command, as its user and with its environment.
 *
 * A list has its placeholders filled in, a string is the shell's. Errors: RECIPE_PLACEHOLDER.
 */
export function resolveJobs(
  service: RecipeService,
  when: 'before' | 'after',
  options: {
    readonly spec: ServiceSpec
    readonly values: Readonly<Record<string, string>>
    readonly releaseFolder: string
  },
): readonly ServiceJob[] {
  const { spec, values, releaseFolder } = options
  return service[when].map(({ run, directory, environment, timeout }, index) => {
    const place = `${when}[${index}]`
    const fill = (text: string) => fillPlaceholders(text, values, `service ${service.name}, ${place}`)
    const own = Object.entries(environment).map(([name, text]) => [name, fill(text)] as const)
    return {
      place,
      spec: {
        ...spec,
        argv: typeof run === 'string' ? ['/bin/sh', '-eu', '-c', run] : run.map(fill),
        cwd: path.join(releaseFolder, directory ?? '.'),
        environment: { ...spec.environment, ...Object.fromEntries(own) },
      },
      timeoutMs: timeout,
    }
  })
}

function resolveService(service: RecipeService, options: Parameters<typeof resolveServices>[0]): ServiceSpec {
  const values = service.listens ? { ...options.values, ...options.listening } : options.values
  const fill = (text: string, place: string) => fillPlaceholders(text, values, `service ${service.name}, ${place}`)
  const environment = Object.entries(service.environment).map(
    ([name, text]) => [name, fill(text, `environment ${name}`)] as const,
  )
  return {
    name: service.name,
    argv: service.command.map(word => fill(word, 'command')),
    cwd: path.join(options.releaseFolder, service.directory ?? '.'),
    environment: { ...options.base, ...variables(options.values), ...Object.fromEntries(environment) },
    listens: service.listens,
    stopSignal: service.stopSignal,
    stopTimeoutMs: service.stopTimeout,
    notifies: service.readiness === 'notify',
    limits: {
      memoryBytes: service.limits.memory,
      openFiles: service.limits.openFiles,
      processes: service.limits.processes,
      cpu: service.limits.cpu,
    },
    account: options.account,
    relax: service.relax,
    container: undefined,
  }
}

function variables(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => /^[A-Z_][A-Z0-9_]*$/.test(name)))
}

/** What a service gets of the environment that we run in: enough to find commands and to write text, nothing that steers Node or Python. */
export function baseEnvironment(ours: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const names = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'] as const
  return Object.fromEntries(names.flatMap(name => (ours[name] === undefined ? [] : [[name, ours[name]]])))
}
