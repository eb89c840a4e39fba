import type http from 'node:http'
import { describe, expect, it } from 'vitest'
import { frontedApp } from '../support/fronted-app.ts'
import { rawClient } from '../support/raw-client.ts'
import { until } from '../support/toy-prefix.ts'

const parts = { bypassToken: 'look-4711' }
const shown = { headers: { 'x-cutover-bypass': 'look-4711' } }

/** An application that says what it was sent. */
const mirror: http.RequestListener = (request, response) => response.end(JSON.stringify(request.headers))

describe('who bypasses', () => {
  it('reaches the new version while others wait, and the application never learns the token', async () => {
    const { front, url, held, records } = await frontedApp(mirror, {}, { parts })
    front.enter('hold')
    const waiting = fetch(url)
    await held(1)
    const answers = await Promise.all([
      fetch(url, shown),
      fetch(url, { headers: { cookie: 'a=b; cutover-bypass=look-4711' } }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect((await Promise.all(answers.map(answer => answer.text()))).join()).not.toContain('look-4711')
    expect(front.counters()).toMatchObject({ heldNow: 1, held: 1 })
    front.enter('pass')
    expect((await waiting).status).toBe(200)
    expect(records.map(({ bypassed }) => bypassed)).toEqual([true, true, false])
  })

  it('waits for the version to accept, and no longer, whatever others wait for', async () => {
    const { front, url, held, appAccepts } = await frontedApp(mirror, {}, { parts })
    front.enter('hold')
    appAccepts(false)
    const [looking, waiting] = [fetch(url, shown), fetch(url)]
    await held(2)
    appAccepts(true)
    expect((await looking).status).toBe(200)
    expect(front.counters().heldNow).toBe(1)
    front.enter('backoff')
    expect((await waiting).status).toBe(503)
    expect((await fetch(url, shown)).status).toBe(200)
  })

  it('does not get into a gate that drains, nor with another token', async () => {
    const { front, url } = await frontedApp(mirror, {}, { parts })
    front.enter('drain')
    expect((await fetch(url, shown)).status).toBe(503)
    front.enter('backoff')
    expect((await fetch(url, { headers: { 'x-cutover-bypass': 'look-4712' } })).status).toBe(503)
  })

  it('may be a network', async () => {
    const { front, url } = await frontedApp(mirror, { bypass: { networks: ['127.0.0.0/8'] } })
    front.enter('backoff')
    expect((await fetch(url)).status).toBe(200)
  })

  it('is forgotten when it hangs up while it waits', async () => {
    const { front, port, held, appAccepts, records } = await frontedApp(mirror, {}, { parts })
    front.enter('hold')
    appAccepts(false)
    const client = await rawClient(port)
    client.send('GET /look HTTP/1.1\r\nHost: a\r\nX-Cutover-Bypass: look-4711\r\n\r\n')
    await held(1)
    client.socket.destroy()
    await until(async () => records.length === 1)
    expect(records[0]).toMatchObject({ target: '/look', status: 499, outcome: 'abandoned', bypassed: true })
  })
})
