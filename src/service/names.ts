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

/** Names may hold a plus sign, which neither systemd nor podman takes, and never an underscore, which both do. */
function sayable(name: string): string {
  return name.replaceAll('+', '_')
}
