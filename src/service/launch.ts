import { ReleaseError } from '../core/error.ts'
import { type Launch, launchAs } from '../sys/account.ts'
import type { ServiceSpec } from './driver.ts'

/** Enter control groups, then become the command: a group is joined while that is still allowed, before the user is changed. */
const joinGroups = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 126; shift; done; shift; exec "$@"'

/**
 * Turn a service into what starts it under its limits and as its user.
 *
 * Shape: `groups` are the files that a process number is written to in order to join a control group; all are joined, or the command
 * is not executed. Errors: SERVICE_DRIVER_UNSUITABLE for a container. Source: prlimit(1), cgroups(7).
 */
export function launchService(spec: ServiceSpec, groups: readonly string[] = []): Launch {
  const [file, ...args] = spec.argv
  if (file === undefined || spec.container !== undefined)
    throw new ReleaseError(
      'SERVICE_DRIVER_UNSUITABLE',
      `service ${spec.name} is a container, which takes driver podman`,
    )
  const { argv, environment } = launchAs(spec.account, { argv: [file, ...args], environment: spec.environment })
  const limited = spec.limits.openFiles === undefined ? argv : prlimit(spec.limits.openFiles, argv)
  return {
    argv: groups.length === 0 ? limited : ['/bin/sh', '-c', joinGroups, 'sh', ...groups, '--', ...limited],
    environment,
  }
}

function prlimit(openFiles: number, argv: Launch['argv']): Launch['argv'] {
  return ['/usr/bin/prlimit', `--nofile=${openFiles}:${openFiles}`, '--', ...argv]
}
