import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RoleSlots } from '../../../src/prefix/site.ts'
import { planSwitch, type Routes, type Situation, type SwitchStep, stepName, swapped } from '../../../src/slots/plan.ts'

const before: RoleSlots = { production: 'blue', development: 'green' }
const after = swapped(before, ['production', 'development'])
const calm: Situation = {
  roles: before,
  routes: before,
  slots: {
    blue: { runsAs: 'production', passes: true, migrates: false },
    green: { runsAs: 'development', passes: true, migrates: true },
  },
  isCrossing: false,
}
const plan = (roles: RoleSlots, situation: Situation) => planSwitch({ roles, waiting: 'production' }, situation)

describe('planSwitch', () => {
  it('shows the whole order of a switch', () => {
    expect(plan(after, calm).map(stepName)).toEqual([
      'close:development',
      'hold:green',
      'stop:green',
      'route:production',
      'hold:blue',
      'stop:blue',
      'assign',
      'share:green',
      'migrate:green',
      'start:green',
      'probe:green',
      'pass:green',
      'share:blue',
      'start:blue',
      'probe:blue',
      'pass:blue',
      'route:development',
      'ask:production',
      'ask:development',
      'watch:green',
    ])
  })

  it('does nothing where everything is as it should be', () => {
    expect(plan(before, calm)).toEqual([])
  })

  it('leaves alone what runs in its role: a failure before anything was stopped costs no restart', () => {
    const routes = { production: 'blue' }
    const slots = { ...calm.slots, green: { ...calm.slots['green']!, passes: false } }
    expect(plan(before, { ...calm, routes, slots }).map(stepName)).toEqual([
      'pass:green',
      'route:development',
      'ask:production',
      'ask:development',
    ])
  })

  it('leaves a third slot alone', () => {
    const roles = { ...before, preview: 'red' }
    const red = { runsAs: 'preview', passes: true, migrates: false }
    const situation = { ...calm, roles, routes: roles, slots: { ...calm.slots, red } }
    const steps = plan(swapped(roles, ['development', 'preview']), situation)
    expect(steps.filter(step => 'slot' in step && step.slot === 'blue' && step.kind !== 'ask')).toEqual([])
  })
})

/* A world that steps act on, with clients that come at any time, and a memory of who may wait where. */
interface World {
  roles: RoleSlots
  routes: Record<string, string | undefined>
  isCrossing: boolean
  readonly slots: Record<
    string,
    { runsAs: string | undefined; mode: 'pass' | 'hold' | 'backoff'; waiting: Set<string> }
  >
  /** What must never be. */
  readonly wrongs: string[]
}

const newWorld = (): World => ({
  roles: before,
  routes: { ...before },
  isCrossing: false,
  slots: {
    blue: { runsAs: 'production', mode: 'pass', waiting: new Set() },
    green: { runsAs: 'development', mode: 'pass', waiting: new Set() },
  },
  wrongs: [],
})

function situationOf(world: World): Situation {
  const slots = Object.entries(world.slots).map(
    ([name, { runsAs, mode }]) => [name, { runsAs, passes: mode === 'pass', migrates: false }] as const,
  )
  return {
    roles: world.roles,
    routes: world.routes as Routes,
    slots: Object.fromEntries(slots),
    isCrossing: world.isCrossing,
  }
}

/** Clients of every role come: they are answered, wait, or are turned away by the server in front. */
function clientsCome(world: World): void {
  for (const [role, slot] of Object.entries(world.routes)) {
    if (slot === undefined) continue
    const { mode, runsAs, waiting } = world.slots[slot]!
    if (mode === 'backoff') continue
    if (mode === 'hold' || runsAs === undefined) waiting.add(role)
    else if (runsAs !== role) world.wrongs.push(`a client of ${role} is answered by ${slot} as ${runsAs}`)
  }
}

/** What waits at a gate that lets requests through is answered. */
function letGo(world: World, name: string): void {
  const { runsAs, waiting } = world.slots[name]!
  for (const role of waiting)
    if (runsAs !== role) world.wrongs.push(`what waited for ${role} is answered by ${name} as ${runsAs}`)
  waiting.clear()
}

function apply(world: World, step: SwitchStep, goal: RoleSlots): void {
  const slot = 'slot' in step ? world.slots[step.slot]! : undefined
  const roleOf = (name: string) => Object.keys(world.roles).find(role => world.roles[role] === name)
  switch (step.kind) {
    case 'close':
      world.routes = { ...world.routes, [step.role]: undefined }
      break
    case 'route':
      world.isCrossing ||= step.role === 'production'
      world.routes = { ...world.routes, [step.role]: step.slot }
      break
    case 'turn-away':
      slot!.mode = 'backoff'
      slot!.waiting.clear()
      break
    case 'hold':
      slot!.mode = 'hold'
      break
    case 'stop':
      slot!.runsAs = undefined
      break
    case 'assign':
      world.roles = goal
      break
    case 'start':
      slot!.runsAs = roleOf(step.slot)
      if (slot!.mode === 'pass') letGo(world, step.slot)
      break
    case 'relay':
      for (const role of slot!.waiting)
        if (world.slots[step.to]!.runsAs !== role) world.wrongs.push(`${role} is relayed to ${step.to}`)
      slot!.waiting.clear()
      break
    case 'pass':
      slot!.mode = 'pass'
      letGo(world, step.slot)
      break
    default:
      break
  }
  const running = Object.values(world.slots).flatMap(each => each.runsAs ?? [])
  if (new Set(running).size < running.length) world.wrongs.push(`two run as ${running[0]}`)
}

/** Run a plan until the step at which something fails or kills; that step may have been done or not. */
function run(world: World, goal: RoleSlots, end: { readonly at: number; readonly isDone: boolean }): boolean {
  const steps = plan(goal, situationOf(world))
  for (const [index, step] of steps.entries()) {
    clientsCome(world)
    if (index === end.at) {
      if (end.isDone) apply(world, step, goal)
      return false
    }
    apply(world, step, goal)
  }
  clientsCome(world)
  world.isCrossing = false
  return true
}

/** A serving process ends and comes back; what the server in front could not send then, it sends now. */
function comeBack(world: World, name: string): void {
  const slot = world.slots[name]!
  const led = Object.keys(world.routes).filter(role => world.routes[role] === name)
  slot.waiting.clear()
  if (slot.mode !== 'backoff') for (const role of led) slot.waiting.add(role)
  slot.runsAs = undefined
  if (world.isCrossing) return
  slot.runsAs = Object.keys(world.roles).find(role => world.roles[role] === name)
  if (slot.mode === 'pass') slot.waiting.clear()
}

it('any sequence of switches, failures and kills ends with one slot per role, and no client is ever answered in another role', () => {
  const dies = fc.option(fc.constantFrom('blue', 'green'), { nil: undefined })
  const end = fc.record({ at: fc.nat(24), isDone: fc.boolean(), goesOn: fc.boolean(), dies })
  const ends = fc.array(end, { maxLength: 8 })
  fc.assert(
    fc.property(ends, sequence => {
      const world = newWorld()
      let goal = after
      for (const end of sequence) {
        const start = world.roles
        const isWhole = run(world, goal, end)
        if (end.dies !== undefined) comeBack(world, end.dies)
        if (isWhole) goal = swapped(world.roles, ['production', 'development'])
        // What a failure and a recovery decide: back, unless the roles are swapped and it goes on.
        else if (!(end.goesOn && world.roles === goal)) goal = start
      }
      run(world, world.roles, { at: Number.POSITIVE_INFINITY, isDone: false })
      expect(world.wrongs).toEqual([])
      expect(new Set(Object.values(world.roles))).toEqual(new Set(['blue', 'green']))
      expect(world.routes).toEqual(world.roles)
      for (const [role, slot] of Object.entries(world.roles))
        expect(world.slots[slot]).toEqual({ runsAs: role, mode: 'pass', waiting: new Set() })
    }),
    { numRuns: 300 },
  )
})
