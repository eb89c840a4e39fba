import { describe, expect, it } from 'vitest'
import { ReleaseError } from '../../../../src/core/error.ts'
import { RouteKeeper, type WantedRoute } from '../../../../src/gate/drivers/route-keeper.ts'
import type { Route, Router } from '../../../../src/gate/drivers/router.ts'

const application: Route = { kind: 'application', place: { kind: 'tcp', host: '127.0.0.1', port: 4711 } }
const waiting: Route = { kind: 'waiting' }
const away = new ReleaseError('GATE_SERVER_UNREACHABLE', 'it is away')

/** A server that does what it is told unless it is away, time that stands still until it is asked to go on, and what was told. */
function made() {
  const state = {
    isAway: false,
    reaches: true,
    route: undefined as Route | undefined,
    wanted: { route: waiting, isReleasing: false, isAway: false } as WantedRoute,
    inFlight: [0] as number[],
  }
  const said: string[] = []
  const troubles: (string | undefined)[] = []
  const timers: { atMs: number; call: () => void }[] = []
  let nowMs = 0
  const answer = <Value>(value: () => Value) => (state.isAway ? Promise.reject(away) : Promise.resolve().then(value))
  const router: Router = {
    kind: 'haproxy',
    knownPorts: () => [],
    prepare: async () => void said.push('prepare'),
    assertReaching: () =>
      answer(() => {
        if (!state.reaches) throw new ReleaseError('GATE_SERVER_REFUSED', 'it does not reach us')
      }),
    follow: route =>
      answer(() => {
        said.push(route.kind)
        state.route = route
      }),
    isFollowed: route => answer(() => state.route?.kind === route.kind),
    inFlight: () => answer(() => (state.inFlight.length > 1 ? state.inFlight.shift()! : state.inFlight[0]!)),
    rest: () => answer(() => void said.push('rest')),
  }
  const keeper = new RouteKeeper({
    router,
    wanted: () => state.wanted,
    tell: trouble => troubles.push(trouble?.code),
    timers: {
      nowMs: () => nowMs,
      after: (durationMs, call) => {
        const timer = { atMs: nowMs + durationMs, call }
        timers.push(timer)
        return () => void timers.splice(timers.indexOf(timer), timers.includes(timer) ? 1 : 0)
      },
    },
  })
  /** Let the next timer come. Post: how long that took. */
  const goOn = async () => {
    const [next] = timers.toSorted((a, b) => a.atMs - b.atMs)
    const tookMs = next!.atMs - nowMs
    nowMs = next!.atMs
    timers.splice(timers.indexOf(next!), 1)
    next!.call()
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
    return tookMs
  }
  return { keeper, state, said, troubles, goOn }
}

describe('a route', () => {
  it('is told once, and again when a look shows that it is another', async () => {
    const { keeper, state, said, goOn } = made()
    await keeper.open([4711, 4712])
    expect(await goOn()).toBe(1000)
    expect(said).toEqual(['prepare', 'waiting'])
    state.route = application
    await goOn()
    expect(said).toEqual(['prepare', 'waiting', 'waiting'])
  })

  it('is tried again sooner after it could not be told, and told of once', async () => {
    const { keeper, state, said, troubles, goOn } = made()
    state.isAway = true
    await keeper.open([4711, 4712])
    expect([await goOn(), await goOn()]).toEqual([250, 250])
    expect(troubles).toEqual(['GATE_SERVER_UNREACHABLE'])
    state.isAway = false
    await goOn()
    expect(said).toEqual(['prepare', 'waiting'])
    expect(troubles).toEqual(['GATE_SERVER_UNREACHABLE', undefined])
    expect(await goOn()).toBe(1000)
  })

  it('is looked at at once while those who waited are on their way', async () => {
    const { keeper, state, said, goOn } = made()
    state.wanted = { route: waiting, isReleasing: true, isAway: false }
    await keeper.open([4711, 4712])
    state.wanted = { route: application, isReleasing: false, isAway: false }
    expect(await goOn()).toBe(10)
    expect(said).toEqual(['prepare', 'waiting', 'application'])
  })

  it('keeps nothing idle at an application that is away', async () => {
    const { keeper, state, said } = made()
    state.wanted = { route: waiting, isReleasing: false, isAway: true }
    await keeper.open([4711, 4712])
    expect(said).toEqual(['prepare', 'waiting', 'rest'])
  })

  it('is told no more once it was stopped', async () => {
    const { keeper, state, said } = made()
    await keeper.open([4711, 4712])
    await keeper.stop()
    state.wanted = { route: application, isReleasing: false, isAway: false }
    keeper.settleSoon()
    expect(said).toEqual(['prepare', 'waiting'])
  })
})

describe('turning away', () => {
  it('fails where requests would not arrive, before the server is told', async () => {
    const { keeper, state, said } = made()
    state.reaches = false
    await expect(keeper.turnAway(true)).rejects.toMatchObject({ code: 'GATE_SERVER_REFUSED' })
    expect(said).toEqual([])
    await keeper.turnAway(false)
    expect(said).toEqual(['waiting'])
    expect(keeper.leadsHere).toBe(true)
  })
})

describe('an application', () => {
  const place = { kind: 'tcp', host: '127.0.0.1', port: 4711 } as const

  it('is empty once nothing was found there twice', async () => {
    const { keeper, state, goOn } = made()
    state.inFlight = [2, 0, 1, 0, 0]
    const emptied = keeper.untilEmpty(place, 1000)
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve()
    for (let look = 0; look < 4; look += 1) expect(await goOn()).toBe(10)
    expect(await emptied).toEqual({ ok: true, evidence: '0 in flight' })
  })

  it('is not waited for longer than allowed, nor taken for empty when nobody knows', async () => {
    const { keeper, state } = made()
    state.inFlight = [1]
    expect(await keeper.untilEmpty(place, 0)).toEqual({ ok: false, evidence: '1 in flight' })
    state.isAway = true
    expect(await keeper.untilEmpty(place, 1000)).toMatchObject({ ok: false })
  })
})
