import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openRepository } from '../../src/trust/client.ts'
import { keyOf, past, type SiteClient, siteClient, type TufSite, vendorSite } from '../support/tuf-attacker.ts'

/** A server goes on showing what is out of date. */

let site: TufSite
let client: SiteClient

beforeEach(async () => {
  site = await vendorSite()
  client = await siteClient(site)
  await client.open().index('notes')
})
afterEach(() => site.close())

const refused = (code: string) => expect(client.refresh()).rejects.toMatchObject({ code })
const day = 86_400_000
const iso = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`

describe('freeze attack', () => {
  it.each(['timestamp', 'snapshot', 'targets'])('with a %s that has expired: TRUST_EXPIRED', async role => {
    const before = client.trusted()[role]
    site.partOf(role).expires = past
    site.publish('targets', 'snapshot', 'timestamp')
    await refused('TRUST_EXPIRED')
    expect(client.trusted()[role]).toBe(before)
  })

  it("with an application's role that has expired: TRUST_EXPIRED for a client that knows nothing", async () => {
    site.targetsOf('application-notes').expires = past
    site.publish('application-notes', 'snapshot', 'timestamp')
    await expect((await siteClient(site)).open().index('notes')).rejects.toMatchObject({ code: 'TRUST_EXPIRED' })
  })

  it('with an expired root at the end of the chain: TRUST_EXPIRED, and the roots are kept', async () => {
    site.publish('root')
    site.root.expires = past
    site.publish('root', 'timestamp')
    await refused('TRUST_EXPIRED')
    expect(client.trusted()).toMatchObject({ root: 3, timestamp: 1 })
  })

  it('ends by itself when what the client knows expires, although the server shows nothing new', async () => {
    site.timestamp.expires = iso(Date.now() - day)
    site.publish('timestamp')
    await refused('TRUST_EXPIRED')
    site.timestamp.expires = iso(Date.now() + day)
    site.publish('timestamp')
    await client.refresh()
    expect(client.trusted()).toMatchObject({ timestamp: 3 })
  })

  it('takes nothing from a node: it goes on with the list that it has, and is told how old that is', async () => {
    const told: [string, number][] = []
    const open = () =>
      openRepository({
        folder: client.folder,
        repositoryUrl: site.url,
        onStale: (error, knownMs) => told.push([error.code, knownMs]),
      })
    site.timestamp.expires = past
    site.publish('timestamp')
    expect(await open().index('notes')).toMatchObject({ application: 'notes' })
    expect(told).toEqual([['TRUST_EXPIRED', expect.any(Number)]])
    expect(Math.abs(Date.now() - told[0]![1])).toBeLessThan(day)
  })
})

describe('what has expired on the way is no attack', () => {
  it('of an old root that the client trusts: it walks to the newest', async () => {
    site.root.expires = past
    site.publish('root')
    const late = await siteClient(site)
    site.root.expires = '2099-01-01T00:00:00Z'
    site.publish('root')
    await late.refresh()
    expect(late.trusted()).toMatchObject({ root: 3, timestamp: 1 })
  })

  it('of a timestamp that the client has: the newer one is taken, an older one is not', async () => {
    const current = site.files.get(keyOf('timestamp', 1))!
    site.timestamp.expires = past
    site.publish('timestamp')
    await refused('TRUST_EXPIRED')
    site.timestamp.expires = '2099-01-01T00:00:00Z'
    site.publish('timestamp')
    await client.refresh()
    expect(client.trusted()).toMatchObject({ timestamp: 3 })
    site.files.set(keyOf('timestamp', 1), current)
    await refused('TRUST_ROLLBACK')
  })
})
