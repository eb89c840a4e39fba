import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { keyOf, newKey, type SiteClient, siteClient, type TufSite, vendorSite } from '../support/tuf-attacker.ts'

/** A server shows older states than those that a client has seen, or hides that there are newer ones. */

let site: TufSite
let client: SiteClient

beforeEach(async () => {
  site = await vendorSite()
  client = await siteClient(site)
  await client.refresh()
})
afterEach(() => site.close())

const refused = (code: string) => expect(client.refresh()).rejects.toMatchObject({ code })

describe('rollback attack', () => {
  it('with an old timestamp: TRUST_ROLLBACK', async () => {
    const old = site.files.get(keyOf('timestamp', 1))!
    site.publish('snapshot', 'timestamp')
    await client.refresh()
    site.files.set(keyOf('timestamp', 1), old)
    await refused('TRUST_ROLLBACK')
    expect(client.trusted()).toMatchObject({ timestamp: 2, snapshot: 2 })
  })

  it('with a newer timestamp that names an older snapshot: TRUST_ROLLBACK', async () => {
    site.publish('snapshot', 'timestamp')
    await client.refresh()
    site.timestamp.meta['snapshot.json'] = { version: 1 }
    site.publish('timestamp')
    await refused('TRUST_ROLLBACK')
    expect(client.trusted()).toMatchObject({ timestamp: 2, snapshot: 2 })
  })

  it.each([true, false])(
    'with a newer snapshot that names older targets (hashes: %s): TRUST_ROLLBACK',
    async hashes => {
      site.hashes = hashes
      site.publish('targets', 'snapshot', 'timestamp')
      await client.refresh()
      site.snapshot.meta['targets.json'] = { version: 1 }
      site.publish('snapshot', 'timestamp')
      await refused('TRUST_ROLLBACK')
      expect(client.trusted()).toMatchObject({ snapshot: 2, targets: 2 })
    },
  )

  it('with a newer snapshot that names an older role of an application: TRUST_ROLLBACK', async () => {
    site.publish('application-notes', 'snapshot', 'timestamp')
    await client.refresh()
    site.snapshot.meta['application-notes.json'] = { version: 1 }
    site.publish('snapshot', 'timestamp')
    await refused('TRUST_ROLLBACK')
  })

  it('with a snapshot that leaves a role out: TRUST_METADATA', async () => {
    delete site.snapshot.meta['application-notes.json']
    site.publish('snapshot', 'timestamp')
    await refused('TRUST_METADATA')
    expect(client.trusted()).toMatchObject({ snapshot: 1 })
  })

  it('with an old root under the next number: TRUST_ROLLBACK', async () => {
    site.files.set(keyOf('root', 2), site.files.get(keyOf('root', 1))!)
    await refused('TRUST_ROLLBACK')
    expect(client.trusted()).toMatchObject({ root: 1 })
  })

  it('with another timestamp under the same number: it is not looked at', async () => {
    site.timestamp.meta['snapshot.json'] = { version: 100 }
    site.store('timestamp')
    await client.refresh()
    expect(client.trusted()).toMatchObject({ timestamp: 1, snapshot: 1 })
    expect(site.requests.at(-1)).toBe('metadata/timestamp.json')
  })
})

describe('fast-forward attack: a stolen key signs the highest numbers there are, and a new key brings the client back', () => {
  const far = 1_000_000_000

  it('of the timestamp: TRUST_ROLLBACK until the key is rotated', async () => {
    site.timestamp.version = far
    site.store('timestamp')
    await client.refresh()
    site.timestamp.version = 1
    site.publish('timestamp')
    await refused('TRUST_ROLLBACK')
    site.setKeys('timestamp', [newKey()])
    site.publish('root', 'timestamp')
    await client.refresh()
    expect(client.trusted()).toMatchObject({ root: 2, timestamp: 3 })
  })

  it('of the snapshot: TRUST_ROLLBACK until the keys of snapshot and timestamp are rotated', async () => {
    site.snapshot.version = far - 1
    site.publish('snapshot', 'timestamp')
    await client.refresh()
    site.snapshot.version = 1
    site.publish('snapshot', 'timestamp')
    await refused('TRUST_ROLLBACK')
    site.setKeys('snapshot', [newKey()])
    site.setKeys('timestamp', [newKey()])
    site.publish('root', 'snapshot', 'timestamp')
    await client.refresh()
    expect(client.trusted()).toMatchObject({ root: 2, snapshot: 3 })
  })

  it('of the targets: TRUST_ROLLBACK until the key of the snapshot is rotated', async () => {
    site.targetsOf('targets').version = far - 1
    site.publish('targets', 'snapshot', 'timestamp')
    await client.refresh()
    site.targetsOf('targets').version = 1
    site.publish('targets', 'snapshot', 'timestamp')
    await refused('TRUST_ROLLBACK')
    site.setKeys('snapshot', [newKey()])
    site.publish('root', 'targets', 'snapshot', 'timestamp')
    await client.refresh()
    expect(client.trusted()).toMatchObject({ root: 2, targets: 3 })
  })

  it("of an application's role: TRUST_ROLLBACK until the key of the snapshot is rotated", async () => {
    site.targetsOf('application-notes').version = far - 1
    site.publish('application-notes', 'snapshot', 'timestamp')
    await client.open().index('notes')
    site.targetsOf('application-notes').version = 1
    site.publish('application-notes', 'snapshot', 'timestamp')
    await refused('TRUST_ROLLBACK')
    site.setKeys('snapshot', [newKey()])
    site.publish('root', 'snapshot', 'timestamp')
    await client.open().index('notes')
    expect(client.trusted()).toMatchObject({ 'application-notes': 2 })
  })
})
