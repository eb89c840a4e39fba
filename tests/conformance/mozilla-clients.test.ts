import { describe, expect, it } from 'vitest'
import { frontedApp } from '../support/fronted-app.ts'
import {
  desktopStorage,
  desktopToken,
  type MozillaClient,
  mozillaClients,
  rustStorage,
  rustToken,
  type SyncAnswer,
} from '../support/mozilla-clients.ts'

/** Real answers of a gate, as Mozilla's four clients read them: what each learns, and when it comes back. */

const gate = {
  hold: { requests: 1 },
  backoff: {
    retryAfter: 60,
    routes: [
      { prefix: '/1.5/', shape: 'weave' },
      { prefix: '/1.0/', shape: 'token' },
    ],
  },
}

const pathOf = (client: MozillaClient) => (client.name.endsWith('token') ? '/1.0/sync/1.5' : '/1.5/7/storage/bookmarks')

/** The answer that a client of Sync gets at its own path. */
async function asked(url: string, client: MozillaClient): Promise<SyncAnswer> {
  const answer = await fetch(url + pathOf(client), { headers: { accept: 'application/json' } })
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() }
}

const patient = { errors: 1, random: () => 0 }

async function gateBeforeSync() {
  return await frontedApp((_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end('{"id":"x"}')
  }, gate)
}

describe.each(mozillaClients.map(client => [client.name, client] as const))('%s', (_name, client) => {
  it.each(['hold', 'backoff', 'drain'] as const)('stays away as long as it is told in mode %s', async mode => {
    const { front, url, held } = await gateBeforeSync()
    front.enter(mode)
    // Of a hold it is the one that does not fit.
    const before = mode === 'hold' ? fetch(url) : undefined
    if (before !== undefined) await held(1)
    const answer = await asked(url, client)
    expect(answer.status).toBe(503)
    expect(client.learns(answer)).toBe(60)
    expect(client.staysAway(answer, patient)).toBe(client === desktopStorage ? 900 : 60)
    front.enter('pass')
    await before
    expect(client.staysAway(await asked(url, client), patient)).toBeUndefined()
  })
})

it('the soft phase reaches all but the one that reads nothing of a good answer', async () => {
  const { front, url } = await gateBeforeSync()
  front.enter('pass', { kind: 'soft', elapsedMs: 5000, lastsMs: 10_000, share: 1 })
  const learned = async (client: MozillaClient) => client.learns(await asked(url, client))
  expect(await Promise.all([desktopStorage, desktopToken, rustStorage, rustToken].map(learned))).toEqual([
    70,
    70,
    70,
    undefined,
  ])
})

it('desktop and mobile come back spread: the one by itself, the other by what it is told', async () => {
  const { front, url } = await gateBeforeSync()
  front.enter('backoff')
  const answer = await asked(url, desktopToken)
  expect(desktopToken.staysAway(answer, { errors: 1, random: () => 1 })).toBe(75)
  expect(rustToken.staysAway(answer, { errors: 1, random: () => 1 })).toBe(60)
})
