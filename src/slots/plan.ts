import type { RoleSlots } from '../prefix/site.ts'

/** The slot that the server in front leads the clients of each role to; a role that is missing has its clients turned away. */
export type Routes = Readonly<Record<string, string | undefined>>

/** What a plan has to know of a slot. */
export interface SlotSituation {
  /** The role that its services run in; undefined while none run. */
  readonly runsAs: string | undefined
  /** Its gate lets requests through to its own services. */
  readonly passes: boolean
  /** The version that it has differs from the one that had its future role so far, and is the newer one: its migrations are due. */
  readonly migrates: boolean
}

/** How things are when a plan is made. */
export interface Situation {
  /** Which slot has which role, as it is stored. */
  readonly roles: RoleSlots
  readonly routes: Routes
  readonly slots: Readonly<Record<string, SlotSituation>>
  /** A switch was interrupted or failed after the waiting role's clients were led to another slot: some may wait anywhere. */
  readonly isCrossing: boolean
}

/** How things are to be. */
export interface Goal {
  readonly roles: RoleSlots
  /** The role whose clients wait during a switch; those of the others are turned away. */
  readonly waiting: string
}

/** One step of a switch. Each can be run again, and does nothing where there is nothing to do. */
export type SwitchStep =
  /** Turn away what waits at the slot's gate and what comes until it is held: it is of a role that the slot is not to have. */
  | { readonly kind: 'turn-away'; readonly slot: string }
  /** Have the server in front turn the clients of a role away. */
  | { readonly kind: 'close'; readonly role: string }
  /** Wait until nothing is on its way to the slot's gate any more, let requests wait there, and what is in flight finish. */
  | { readonly kind: 'hold'; readonly slot: string }
  /** Lead the clients of a role to a slot. */
  | { readonly kind: 'route'; readonly role: string; readonly slot: string }
  | { readonly kind: 'stop'; readonly slot: string }
  /** Store which slot has which role: from here on the way is forward. */
  | { readonly kind: 'assign' }
  /** Folders and configuration of the role. */
  | { readonly kind: 'share'; readonly slot: string }
  | { readonly kind: 'migrate'; readonly slot: string }
  | { readonly kind: 'start'; readonly slot: string }
  | { readonly kind: 'probe'; readonly slot: string }
  | { readonly kind: 'pass'; readonly slot: string }
  /** Have the slot that the role is with now answer what waits at this one's gate. */
  | { readonly kind: 'relay'; readonly slot: string; readonly to: string }
  /** Ask as a client of the role does. */
  | { readonly kind: 'ask'; readonly role: string; readonly slot: string }
  | { readonly kind: 'watch'; readonly slot: string }

/** Name a step as people and `switch.json` have it. */
export function stepName(step: SwitchStep): string {
  const what = 'role' in step ? step.role : 'slot' in step ? step.slot : undefined
  return what === undefined ? step.kind : `${step.kind}:${what}`
}

/** Exchange the slots of two roles. Pure. */
export function swapped(roles: RoleSlots, [a, b]: readonly [string, string]): RoleSlots {
  return { ...roles, [a]: roles[b]!, [b]: roles[a]! }
}

/**
 * Put the steps in their order that lead from any situation to a goal.
 *
 * Pure. A switch, its undoing and a recovery are the same: what is there is left out. The clients of the waiting role are led to its new slot before that
 * serves them and wait there, so that no request which waits can be answered by the wrong one; those of the other roles are turned away by the
 * server in front, so that none of theirs waits among them. No two slots ever run in the same role, and no role's folders are used by two.
 */
export function planSwitch(goal: Goal, situation: Situation): readonly SwitchStep[] {
  const { roles, waiting } = goal
  const target = roles[waiting]!
  const view = viewOf(goal, situation)
  const { changing, others } = view
  const isAssigned = Object.entries(roles).every(([role, slot]) => situation.roles[role] === slot)
  const steps =
    changing.length === 0 && isAssigned
      ? openingSteps(view)
      : [
          ...closingSteps(view),
          ...(isAssigned ? [] : [{ kind: 'assign' } as const]),
          ...startSteps(
            changing.filter(slot => slot === target),
            view,
          ),
          ...(changing.includes(target) || !view.passes(target) ? [{ kind: 'pass', slot: target } as const] : []),
          ...relaySteps(view),
          ...startSteps(
            changing.filter(slot => slot !== target),
            view,
          ),
          ...others.flatMap(role => reopenSteps(role, view)),
        ]
  if (steps.length === 0) return []
  const asked = Object.entries(roles).map(([role, slot]) => ({ kind: 'ask', role, slot }) as const)
  return [...steps, ...asked, ...(changing.includes(target) ? [{ kind: 'watch', slot: target } as const] : [])]
}

/** A goal against a situation. */
interface View {
  readonly goal: Goal
  readonly routes: Routes
  readonly isCrossing: boolean
  /** The roles whose clients do not wait. */
  readonly others: readonly string[]
  /** The slots that do not run in the role that they are to have. */
  readonly changing: readonly string[]
  readonly runs: (slot: string) => boolean
  readonly passes: (slot: string) => boolean
  readonly migrates: (slot: string) => boolean
}

function viewOf(goal: Goal, { routes, slots, isCrossing }: Situation): View {
  const entries = Object.entries(goal.roles)
  return {
    goal,
    routes,
    isCrossing,
    others: Object.keys(goal.roles).filter(role => role !== goal.waiting),
    changing: entries.flatMap(([role, slot]) => (slots[slot]?.runsAs === role ? [] : [slot])),
    runs: slot => slots[slot]?.runsAs !== undefined,
    passes: slot => slots[slot]?.passes === true,
    migrates: slot => slots[slot]?.migrates === true,
  }
}

/** Empty the slots that change: first the target, at which no client of the waiting role is, then, once its clients wait there, the others. */
function closingSteps({ goal: { roles, waiting }, routes, others, changing, runs }: View): readonly SwitchStep[] {
  const target = roles[waiting]!
  // Clients that wait where nothing serves, at the slot that is to serve them, need only be waited with.
  const isHome = (role: string) => routes[role] === roles[role] && !runs(roles[role]!)
  const home = others.filter(isHome).map(role => roles[role]!)
  const closed = others.flatMap((role): SwitchStep[] => {
    const slot = routes[role]
    if (slot === undefined || isHome(role) || (!changing.includes(slot) && slot === roles[role])) return []
    // Where nothing serves, its clients wait.
    const isStranded = !runs(slot) && slot !== roles[role]
    return [...(isStranded ? [{ kind: 'turn-away', slot } as const] : []), { kind: 'close', role }]
  })
  const emptied = (slots: readonly string[]) =>
    slots.flatMap((slot): SwitchStep[] => [
      { kind: 'hold', slot },
      ...(runs(slot) ? [{ kind: 'stop', slot } as const] : []),
    ])
  return [
    ...closed,
    // Before anybody waits there: what it takes to end is no part of the wait.
    ...emptied(changing.filter(slot => slot === target)),
    ...routeSteps(waiting, target, routes),
    ...emptied(changing.filter(slot => slot !== target && !home.includes(slot))),
  ]
}

function startSteps(slots: readonly string[], { migrates }: View): readonly SwitchStep[] {
  return slots.flatMap((slot): SwitchStep[] => [
    { kind: 'share', slot },
    ...(migrates(slot) ? [{ kind: 'migrate', slot } as const] : []),
    { kind: 'start', slot },
    { kind: 'probe', slot },
  ])
}

function reopenSteps(role: string, { goal, routes, changing, passes }: View): readonly SwitchStep[] {
  const slot = goal.roles[role]!
  const isClosed = changing.includes(slot) || routes[role] !== slot
  return [
    ...(changing.includes(slot) || !passes(slot) ? [{ kind: 'pass', slot } as const] : []),
    ...(isClosed ? [{ kind: 'route', role, slot } as const] : []),
  ]
}

/**
 * A slot that does not serve may have requests of the waiting role, once that was on its way from one to the other; unless another role's
 * clients are led there again, which comes last.
 */
function relaySteps({
  goal: { roles, waiting },
  routes,
  others,
  isCrossing,
  changing,
  passes,
}: View): readonly SwitchStep[] {
  if (!isCrossing) return []
  return others.flatMap((role): SwitchStep[] => {
    const slot = roles[role]!
    const isReached = others.some(each => routes[each] === slot)
    return isReached || (passes(slot) && !changing.includes(slot)) ? [] : [{ kind: 'relay', slot, to: roles[waiting]! }]
  })
}

/** What is left to do where every slot runs in its role: gates and routes. */
function openingSteps(view: View): readonly SwitchStep[] {
  const { goal, routes, others, passes } = view
  const target = goal.roles[goal.waiting]!
  // Whoever is led to where another role's clients are would be answered for that role.
  const misled = others.flatMap((role): SwitchStep[] => {
    const slot = routes[role]
    return slot === undefined || slot === goal.roles[role] ? [] : [{ kind: 'close', role }]
  })
  return [
    ...misled,
    ...(passes(target) ? [] : [{ kind: 'pass', slot: target } as const]),
    ...routeSteps(goal.waiting, target, routes),
    ...relaySteps(view),
    ...others.flatMap(role => reopenSteps(role, view)),
  ]
}

function routeSteps(role: string, slot: string, routes: Routes): readonly SwitchStep[] {
  return routes[role] === slot ? [] : [{ kind: 'route', role, slot }]
}
