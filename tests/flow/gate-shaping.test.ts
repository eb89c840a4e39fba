import http from 'node:http'
import { describe, expect, it } from 'vitest'
import { frontedApp } from '../support/fronted-app.ts'
import { manualTimers } from '../support/manual-timers.ts'
import { rawClient } from '../support/raw-client.ts'
import { until } from '../support/toy-prefix.ts'

const plain: http.RequestListener = (request, response) => {
  response.statusCode = Number(request.headers['x-status'] ?? 200)
  response.end('plain')
}

describe('the soft phase', () => {
  it('tells with good answers, and with no others, when to come back', async () => {
    const { front, url } = await frontedApp(plain, { backoff: { retryAfter: 60 } })
    const told = async (status: number) => {
      const { headers } = await fetch(url, { headers: { 'x-status': String(status) } })
      return [headers.get('x-weave-backoff'), headers.get('x-backoff'), headers.get('retry-after')]
    }
    expect(await told(200)).toEqual([null, null, null])
    front.enter('pass', { kind: 'soft', elapsedMs: 9000, lastsMs: 10_000, share: 1 })
    expect(await told(200)).toEqual(['70', '70', null])
    expect(await told(404)).toEqual([null, null, null])
    front.enter('pass')
    expect(await told(200)).toEqual([null, null, null])
  })
})

describe('the recovery', () => {
  it('lets a few in and turns the others away, but none that was held and no health check', async () => {
    const gate = { healthPaths: ['/up'], hold: { requests: 5 } }
    const { front, url, held, records } = await frontedApp(plain, gate)
    front.enter('hold')
    const waiting = Array.from({ length: 5 }, () => fetch(url))
    await held(5)
    front.enter('pass', { kind: 'recovery', elapsedMs: 0, lastsMs: 3_600_000, perSecond: 0.01 })
    const statuses = async (asked: readonly Promise<Response>[]) =>
      (await Promise.all(asked)).map(({ status }) => status)
    expect(await statuses(waiting)).toEqual([200, 200, 200, 200, 200])
    expect(await statuses([fetch(url)])).toEqual([200])
    expect(await statuses([fetch(url), fetch(url), fetch(`${url}/up`)])).toEqual([503, 503, 200])
    expect(records.filter(({ outcome }) => outcome === 'backed-off')).toHaveLength(2)
    front.enter('pass')
    expect(await statuses([fetch(url)])).toEqual([200])
  })
})

it('a release does not grow faster while the version takes long to answer', async () => {
  const unanswered: http.ServerResponse[] = []
  const { timers, advance } = manualTimers()
  const gate = { ramp: { perSecond: 5, latency: '100ms' }, hold: { age: '10m' } }
  const { front, url, held } = await frontedApp((_request, response) => unanswered.push(response), gate, { timers })
  front.enter('hold')
  const agent = new http.Agent({ maxSockets: Number.POSITIVE_INFINITY })
  const asked = Array.from({ length: 40 }, () => http.get(url, { agent }).on('error', () => {}))
  await held(40)
  front.enter('pass')
  const released: number[] = []
  for (let second = 0; second < 4; second += 1) {
    for (let tick = 0; tick < 100; tick += 1) advance(10)
    released.push(front.counters().released)
    await until(async () => unanswered.length === released.at(-1))
  }
  // Nothing answers: 5 a second, and not 5, 10, 20, 40.
  expect(released).toEqual([6, 11, 16, 21])
  for (const request of asked) request.destroy()
})

describe('a drain', () => {
  it('ends streams one after the other over the spread that is wanted', async () => {
    const ended: string[] = []
    const { front, url } = await frontedApp((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
      response.once('close', () => ended.push(request.url!))
    })
    const streams: Promise<string>[] = []
    for (const name of ['/1', '/2', '/3']) {
      const answer = await fetch(url + name)
      streams.push(answer.text())
    }
    front.enter('hold')
    const drained = await front.drain({ timeoutMs: 5000, streamsMs: 10, spreadMs: 90 })
    expect(drained).toEqual({ ok: true, evidence: '0 in flight, 3 streams ended' })
    await Promise.all(streams)
    await until(async () => ended.length === 3)
    expect(ended).toEqual(['/1', '/2', '/3'])
  })
})

it('each request is told of once: what came of it, and how long it waited', async () => {
  const { front, url, held, records } = await frontedApp(plain, { healthPaths: ['/up'] })
  front.enter('hold')
  const waiting = fetch(`${url}/a?b=c`, { headers: { 'user-agent': 'test', referer: 'http://a/' } })
  await held(1)
  await fetch(`${url}/up`)
  front.enter('pass')
  await waiting
  front.enter('backoff')
  await fetch(`${url}/x`, { method: 'HEAD' })
  await until(async () => records.length === 3)
  expect(records).toMatchObject([
    { target: '/up', status: 200, outcome: 'healthy', sentBytes: 3, waitedMs: 0 },
    { target: '/a?b=c', status: 200, outcome: 'answered', userAgent: 'test', referrer: 'http://a/', bypassed: false },
    { method: 'HEAD', target: '/x', status: 503, outcome: 'backed-off', sentBytes: 0 },
  ])
  const [, waited] = records
  expect(waited!.waitedMs).toBeGreaterThan(0)
  expect(waited!.durationMs).toBeGreaterThanOrEqual(waited!.waitedMs)
  expect(Math.abs(waited!.arrivedMs + waited!.durationMs - Date.now())).toBeLessThan(60_000)
})

describe('a gate that goes away', () => {
  it('waits for a request that has begun to come, and answers it; one that holds waits for none', async () => {
    const { front, port } = await frontedApp(plain)
    const client = await rawClient(port)
    client.send('GET / HTTP/1.1\r\nHost')
    // What the gate has answered on another connection, it has read on this one.
    await (await fetch(`http://127.0.0.1:${port}`)).text()
    front.enter('hold')
    expect(await front.drain({ timeoutMs: 60_000, streamsMs: 0 })).toMatchObject({ ok: true })
    front.enter('drain')
    let isDrained = false
    const drained = front.drain({ timeoutMs: 60_000, streamsMs: 0 }).then(() => {
      isDrained = true
    })
    await (await fetch(`http://127.0.0.1:${port}`)).text()
    expect(isDrained).toBe(false)
    client.send(': a\r\n\r\n')
    expect(await client.ended).toMatch(/^HTTP\/1.1 503 [\s\S]*Connection: close/)
    await drained
  })

  it('waits for it no longer than its limit', async () => {
    const { front, port } = await frontedApp(plain)
    const client = await rawClient(port)
    client.send('GET / HTTP/1.1\r\nHost')
    await (await fetch(`http://127.0.0.1:${port}`)).text()
    front.enter('drain')
    await front.drain({ timeoutMs: 30, streamsMs: 0 })
    client.socket.destroy()
  })
})
