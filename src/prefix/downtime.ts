import type { ChangePlan } from './plan.ts'

/**
 * What clients notice of a change.
 *
 * `none`: nothing that serves is stopped. `held`: requests wait while the services change. `migrated`: they also wait while data is copied or changed, which
 * may take up to the time limits of the recipe; who waits too long is sent away for a while.
 */
export type Downtime = 'none' | 'held' | 'migrated'

/** Work out what clients notice of a plan. Pure. */
export function downtimeOf(plan: ChangePlan): Downtime {
  const names = plan.ops.map(op => op.kind)
  const hold = names.indexOf('hold')
  if (hold < 0) return 'none'
  const inside = names.slice(hold, names.indexOf('pass'))
  return inside.includes('migrate') || inside.includes('backup') ? 'migrated' : 'held'
}
