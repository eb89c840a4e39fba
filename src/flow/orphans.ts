import path from 'node:path'
import { connectControl } from '../gate/control/client.ts'
import { controlSocket } from '../gate/control/protocol.ts'
import type { PrefixIdentity } from '../prefix/identity.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import { openManager } from '../service/drivers.ts'
import { endLeftovers } from '../service/leftovers.ts'
import { instanceName } from '../service/names.ts'
import type { Clock } from '../sys/clock.ts'

/**
 * End the services of a serving process that was killed, which go on without it: they would write to data that is put back.
 *
 * Post: where a process serves, nothing is done, for that has ended what another left. Errors: those of the manager that runs them.
 */
export async function endOrphans(
  { paths, identity }: { readonly paths: PrefixPaths; readonly identity: PrefixIdentity },
  clock: Clock,
): Promise<void> {
  if ((await connectControl(path.join(paths.root, controlSocket))) !== undefined) return
  const places = {
    instance: instanceName(identity.application, paths.root),
    root: paths.root,
    runFolder: paths.run,
    logFolder: paths.log,
    clock,
    environment: process.env,
    inheritedNames: [],
  }
  await endLeftovers(paths.run, (kind, service) => openManager(kind, places).stop(service))
}
