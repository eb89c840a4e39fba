import type { ServeStatus } from '../gate/control/protocol.ts'
import { readInstalledRecipe } from '../prefix/installed.ts'
import type { Skip, WantedOverlap } from '../prefix/plan.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import type { Canary } from './canary.ts'
import type { LockedPrefix } from './locked-prefix.ts'
import { driverKind } from './serve-services.ts'

/** What an operator says of trying a version out; what is not said is the recipe's to say. */
export type AskedCanary = Partial<Canary> | 'none'

/** What the plan of a change to a version depends on, as far as running two side by side goes. */
export interface OverlapTarget {
  readonly command: 'install' | 'rollback'
  readonly version: string
  readonly from: string | undefined
  readonly recipe: () => InstalledRecipe
  readonly canary?: AskedCanary | undefined
}

/** Find out whether a version can run beside the active one; undefined where its recipe does not want it. Errors: GATE_UNREACHABLE. */
export async function wantedOverlap(prefix: LockedPrefix, target: OverlapTarget): Promise<WantedOverlap | undefined> {
  if (!target.recipe().node.gate.overlap) return undefined
  const status = await prefix.serving?.status()
  if (status === undefined || target.from === undefined) return {}
  return { obstacle: obstacleOf(prefix, target, status), withoutCanary: withoutCanary(target, status) }
}

/** Fill in how a version is tried out. */
export function canaryOf({ node }: InstalledRecipe, asked: AskedCanary | undefined): Canary {
  const { share, for: forMs } = node.gate.canary
  return asked === undefined || asked === 'none'
    ? { share, forMs }
    : { share: asked.share ?? share, forMs: asked.forMs ?? forMs }
}

function obstacleOf(prefix: LockedPrefix, { from, recipe }: OverlapTarget, status: ServeStatus): Skip {
  const { services } = recipe().node
  if (status.gate.mode !== 'pass') return { code: 'GATE_CLOSED', reason: `the gate is in mode ${status.gate.mode}` }
  if (status.version !== from) return { code: 'NOTHING_RUNS', reason: `${from} does not run` }
  if (!services.some(service => service.listens))
    return { code: 'NOTHING_LISTENS', reason: 'no service is behind the gate' }
  if (status.overlap === undefined)
    return { code: 'OVERLAP_UNSUPPORTED', reason: `a gate of mode ${status.gateMode} has one version behind it` }
  const drivers = [recipe(), readInstalledRecipe(prefix.paths, from!)].map(each => driverKind(prefix.identity, each))
  // The public socket is given to both: only our own children get it whenever they are started.
  if (!status.overlap.canRoute && drivers.some(driver => driver !== 'embedded'))
    return {
      code: 'OVERLAP_UNSUPPORTED',
      reason: `in mode ${status.gateMode} driver ${drivers[0]} has one version at a time`,
    }
  return undefined
}

function withoutCanary({ command, recipe, canary }: OverlapTarget, status: ServeStatus): Skip {
  if (command === 'rollback') return { code: 'ROLLBACK', reason: 'whoever goes back wants to be back soon' }
  if (canary === 'none') return { code: 'CANARY_DECLINED', reason: 'it was asked for to leave it out' }
  const isAsked = canary?.share !== undefined || recipe().node.gate.canary.share > 0
  if (!isAsked) return { code: 'CANARY_UNWANTED', reason: 'the recipe sends no share of the clients there first' }
  if (status.overlap?.canRoute === true) return undefined
  return { code: 'CANARY_UNROUTED', reason: `in mode ${status.gateMode} nobody chooses which version gets a request` }
}
