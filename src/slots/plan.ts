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
}

/** How things are to be. */
export interface Goal {
  readonly roles: RoleSlots
  /** The role whose clients wait during a switch; those of the others are turned away. */
  readonly waiting: string
}

/** One step of a switch. Each can be run again, and does nothing where there is nothing to do. */
export type SwitchStep =
  /** Have the server in front turn the clients of a role away, and wait until none is on its way to the slot any more. */
  | { readonly kind: 'close'; readonly role: string; readonly slot: string }
  /** Let requests wait at the slot's gate, and what is in flight finish. */
  | { readonly kind: 'hold'; readonly slot: string }
  /** Lead the clients of a role to a slot, and wait until none is on its way to `from` any more. */
  | { readonly kind: 'route'; readonly role: string; readonly slot: string; readonly from: string | undefined }
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
  const roleOfSlot = (slot: string) => Object.keys(roles).find(role => roles[role] === slot)!
  const others = Object.keys(roles).filter(role => role !== waiting)
  const changing = Object.values(roles).filter(slot => situation.slots[slot]?.runsAs !== roleOfSlot(slot))
  const isAssigned = Object.entries(roles).every(([role, slot]) => situation.roles[role] === slot)
  const opening = openingSteps(goal, situation, others)
  const asked: readonly SwitchStep[] = Object.entries(roles).map(([role, slot]) => ({ kind: 'ask', role, slot }))
  const isRouted = Object.entries(roles).every(([role, slot]) => situation.routes[role] === slot)
  if (changing.length === 0 && isAssigned) {
    const reached = opening(target)
    return isRouted && reached.length === 0 ? [] : [...reached, ...asked]
  }
  const each = (slots: readonly string[], steps: (slot: string) => readonly SwitchStep[]) => slots.flatMap(steps)
  const first = changing.filter(slot => slot === target)
  const last = changing.filter(slot => slot !== target)
  const started = (slot: string): readonly SwitchStep[] => [
    { kind: 'start', slot },
    { kind: 'probe', slot },
  ]
  return [
    ...closingSteps(goal, situation, others),
    ...each(changing, slot => (situation.slots[slot]?.runsAs === undefined ? [] : [{ kind: 'stop', slot }])),
    ...(isAssigned ? [] : [{ kind: 'assign' } as const]),
    ...each(changing, slot => [{ kind: 'share', slot }]),
    ...each(changing, slot => (situation.slots[slot]?.migrates === true ? [{ kind: 'migrate', slot }] : [])),
    ...each(first, started),
    { kind: 'pass', slot: target },
    ...relaySteps(goal, situation, others),
    ...each(last, started),
    ...each(others, role => [
      { kind: 'pass', slot: roles[role]! },
      { kind: 'route', role, slot: roles[role]!, from: undefined },
    ]),
    ...asked,
    { kind: 'watch', slot: target },
  ]
}

/** Empty all slots: first those that no client of the waiting role is at, then, once its clients wait elsewhere, the others. */
function closingSteps({ roles, waiting }: Goal, { routes }: Situation, others: readonly string[]): SwitchStep[] {
  const target = roles[waiting]!
  const closed = others.flatMap((role): SwitchStep[] => {
    const slot = routes[role]
    return slot === undefined ? [] : [{ kind: 'close', role, slot }]
  })
  return [
    ...closed,
    { kind: 'hold', slot: target },
    ...(routes[waiting] === target
      ? []
      : [{ kind: 'route', role: waiting, slot: target, from: routes[waiting] } as const]),
    ...others.map((role): SwitchStep => ({ kind: 'hold', slot: roles[role]! })),
  ]
}

/** Slots that were not letting requests through may have some of the waiting role's. */
function relaySteps({ roles, waiting }: Goal, { slots }: Situation, others: readonly string[]): SwitchStep[] {
  return others.flatMap((role): SwitchStep[] => {
    const slot = roles[role]!
    return slots[slot]?.passes === true ? [] : [{ kind: 'relay', slot, to: roles[waiting]! }]
  })
}

/** What is left to do where every slot runs in its role: gates and routes. */
function openingSteps(goal: Goal, { slots, routes }: Situation, others: readonly string[]) {
  const { roles, waiting } = goal
  const routed = (role: string): SwitchStep[] => {
    const [slot, from] = [roles[role]!, routes[role]]
    return from === slot ? [] : [{ kind: 'route', role, slot, from }]
  }
  const passed = (slot: string): SwitchStep[] => (slots[slot]?.passes === true ? [] : [{ kind: 'pass', slot }])
  return (target: string): SwitchStep[] => [
    ...others.flatMap((role): SwitchStep[] => {
      const from = routes[role]
      // Whoever is led to where another role's clients are would be answered for that role.
      return from === undefined || from === roles[role] ? [] : [{ kind: 'close', role, slot: from }]
    }),
    ...passed(target),
    ...routed(waiting),
    ...relaySteps(goal, { slots, routes, roles }, others),
    ...others.flatMap(role => [...passed(roles[role]!), ...routed(role)]),
  ]
}
