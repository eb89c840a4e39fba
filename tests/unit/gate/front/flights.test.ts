import { describe, expect, it } from 'vitest'
import { Flights } from '../../../../src/gate/front/flights.ts'
import type { Upstream } from '../../../../src/gate/http1/upstream.ts'
import { newTally } from '../../../../src/gate/observe/tally.ts'
import { manualTimers } from '../../../support/manual-timers.ts'
import { exchangeOf } from './exchanges.ts'

// Nothing is sent: the exchanges have no connection.
const upstream = {} as Upstream
const figures = { status: 200, receivedBytes: 0, sentBytes: 0 }

/** Flights with some streams, each of which ends when it is asked to. */
function flying(streams: number, requests = 0) {
  const manual = manualTimers()
  const tally = newTally()
  const flights = new Flights(tally, manual.timers)
  const ended: string[] = []
  const begin = () => {
    const exchange = exchangeOf()
    flights.forward(exchange, upstream, {
      closes: () => false,
      unsent: () => ended.push('unsent'),
      ended: end => ended.push(end),
      addedFields: () => [],
    })
    return exchange.hooks()
  }
  for (let index = 0; index < streams; index += 1) {
    const hooks = begin()
    hooks.becameStream(() => {
      ended.push(`${index} at ${manual.timers.nowMs()}`)
      hooks.ended('answered', figures)
    })
  }
  return { ...manual, tally, flights, ended, inFlight: Array.from({ length: requests }, begin) }
}

describe('a drain', () => {
  it('ends when nothing is in flight any more', async () => {
    const { flights, inFlight, pending, tally } = flying(0, 2)
    const drained = flights.drain({ timeoutMs: 10_000, streamsMs: 100 })
    for (const hooks of inFlight) hooks.ended('answered', figures)
    expect(await drained).toEqual({ ok: true, evidence: '0 in flight' })
    expect(pending.size).toBe(0)
    expect(tally.inFlight).toBe(0)
  })

  it('gives up when its time is over, and cuts nothing', async () => {
    const { flights, advance, ended } = flying(0, 1)
    const drained = flights.drain({ timeoutMs: 10_000, streamsMs: 100 })
    advance(10_000)
    expect(await drained).toEqual({ ok: false, evidence: '1 in flight' })
    expect(ended).toEqual([])
  })

  it('ends streams at once after their time, the oldest first', async () => {
    const { flights, advance, ended } = flying(3)
    const drained = flights.drain({ timeoutMs: 10_000, streamsMs: 100 })
    advance(99)
    expect(ended).toEqual([])
    advance(1)
    expect(await drained).toEqual({ ok: true, evidence: '0 in flight, 3 streams ended' })
    expect(ended.filter(each => each.includes(' at '))).toEqual(['0 at 100', '1 at 100', '2 at 100'])
  })

  it('spreads their ends, in an order that is always the same', async () => {
    const { flights, advance, ended, pending } = flying(4)
    const drained = flights.drain({ timeoutMs: 10_000, streamsMs: 100, spreadMs: 2000 })
    advance(10_000)
    expect(await drained).toEqual({ ok: true, evidence: '0 in flight, 4 streams ended' })
    expect(ended.filter(each => each.includes(' at '))).toEqual(['0 at 100', '1 at 600', '2 at 1100', '3 at 1600'])
    expect(pending.size).toBe(0)
  })

  it('spreads them no longer than there is time', async () => {
    const { flights, advance, ended } = flying(2)
    const drained = flights.drain({ timeoutMs: 1000, streamsMs: 100, spreadMs: 60_000 })
    advance(1000)
    expect(await drained).toMatchObject({ ok: true })
    expect(ended.filter(each => each.includes(' at '))).toEqual(['0 at 100', '1 at 550'])
  })

  it('asks no stream to end twice that ended by itself', async () => {
    const { flights, advance, ended, inFlight } = flying(1, 1)
    inFlight[0]!.becameStream(() => ended.push('asked to end'))
    const drained = flights.drain({ timeoutMs: 1000, streamsMs: 100, spreadMs: 400 })
    advance(100)
    inFlight[0]!.ended('answered', figures)
    advance(900)
    expect(await drained).toEqual({ ok: true, evidence: '0 in flight, 1 streams ended' })
    expect(ended).not.toContain('asked to end')
  })
})

it('counts answers and failures, and tells how each request ended', () => {
  const { flights, inFlight, ended, tally } = flying(0, 4)
  inFlight[0]!.ended('answered', figures)
  inFlight[1]!.ended('answered', { ...figures, status: 502 })
  inFlight[2]!.ended('abandoned', { ...figures, status: 499 })
  inFlight[3]!.ended('unsent', figures)
  expect(ended).toEqual(['answered', 'answered', 'abandoned', 'unsent'])
  expect(flights.figures).toEqual({ answers: 2, failures: 1 })
  expect(tally).toMatchObject({ inFlight: 0, abandoned: 1 })
})
