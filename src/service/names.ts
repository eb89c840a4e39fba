import { digestOf, hexOf } from '../core/digest.ts'

/**
 * Name a prefix among all of the machine, for units, programs and containers.
 *
 * Shape: `cutover-APPLICATION-` and eight digits that follow from the path, for an application may be in several prefixes.
 */
export function instanceName(application: string, root: string): string {
  return sayable(`cutover-${application}-${hexOf(digestOf(root)).slice(0, 8)}`)
}

/** Name a service of a prefix among all of the machine. */
export function managedName(instance: string, service: string): string {
  return sayable(`${instance}-${service}`)
}

/** Which of two releases that run at once a service belongs to: its processes, logs and units are called after that. */
export type RunningPlace = 1 | 2

/** Name a service as it runs: no service has an underscore in its name. */
export function runningName(service: string, place: RunningPlace): string {
  return place === 1 ? service : `${service}_2`
}

/** Name the socket unit of a prefix that opens the public sockets of a name. */
export function socketUnitName(instance: string, name: string): string {
  return `${managedName(instance, name)}.socket`
}

/** Tell the place of services by their names as they run. */
export function runningPlaceOf(names: readonly string[]): RunningPlace {
  return names.some(name => name.endsWith('_2')) ? 2 : 1
}

/** The place that a second release takes. */
export function otherPlace(place: RunningPlace): RunningPlace {
  return place === 1 ? 2 : 1
}

/** Names may hold a plus sign, which neither systemd nor podman takes, and never an underscore, which both do. */
function sayable(name: string): string {
  return name.replaceAll('+', '_')
}
