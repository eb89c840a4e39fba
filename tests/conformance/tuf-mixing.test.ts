import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import { targetKey } from '../../src/trust/layout.ts'
import { emptyReleases, keyOf, type SiteClient, siteClient, type TufSite, vendorSite } from '../support/tuf-attacker.ts'

/** A server puts together what does not belong together, or answers with what nobody signed, too much, too slowly, or not at all. */

let site: TufSite
let client: SiteClient

beforeEach(async () => {
  site = await vendorSite()
  client = await siteClient(site)
})
afterEach(() => site.close())

const refused = (code: string) => expect(client.refresh()).rejects.toMatchObject({ code })
const indexRefused = (code: string) => expect(client.open().index('notes')).rejects.toMatchObject({ code })

describe('mix-and-match attack', () => {
  it('with targets of another time: TRUST_MISMATCH', async () => {
    await client.refresh()
    site.publish()
    site.files.set(keyOf('targets', 2), site.files.get(keyOf('targets', 1))!)
    await refused('TRUST_MISMATCH')
    expect(client.trusted()).toMatchObject({ snapshot: 2, targets: 1 })
  })

  it('with a snapshot of another time: TRUST_MISMATCH', async () => {
    await client.refresh()
    site.publish()
    site.files.set(keyOf('snapshot', 2), site.files.get(keyOf('snapshot', 1))!)
    await refused('TRUST_MISMATCH')
    expect(client.trusted()).toMatchObject({ timestamp: 2, snapshot: 1 })
  })

  it("with an application's role of another time: TRUST_MISMATCH", async () => {
    await client.open().index('notes')
    site.publish()
    site.files.set(keyOf('application-notes', 2), site.files.get(keyOf('application-notes', 1))!)
    await indexRefused('TRUST_MISMATCH')
  })

  it.each(['snapshot', 'targets', 'application-notes'])(
    'with a %s that says another number than it is listed under, where no hashes are listed: TRUST_ROLLBACK',
    async role => {
      site.hashes = false
      site.publish()
      site.partOf(role).version = 7
      site.store(role, 2)
      await indexRefused('TRUST_ROLLBACK')
    },
  )

  it('with a root that says another number than its name: TRUST_ROLLBACK', async () => {
    site.root.version = 3
    site.store('root', 2)
    await refused('TRUST_ROLLBACK')
  })

  it.each(['snapshot', 'targets'])('with a hash of %s that nothing has: TRUST_MISMATCH', async role => {
    site.publish('targets', 'snapshot', 'timestamp')
    const listing = role === 'snapshot' ? site.timestamp : site.snapshot
    listing.meta[`${role}.json`]!.hashes = { sha256: '0'.repeat(64) }
    site.publish(...(role === 'snapshot' ? ['timestamp'] : ['snapshot', 'timestamp']))
    await refused('TRUST_MISMATCH')
  })

  it('with one type of metadata in the place of another: TRUST_METADATA', async () => {
    site.setKeys('snapshot', site.signers.get('timestamp')!)
    site.publish('root')
    site.snapshot.meta = { 'snapshot.json': { version: 1 } }
    site.files.set(keyOf('timestamp', 1), site.signed('snapshot', site.snapshot))
    await refused('TRUST_METADATA')
    expect(client.trusted()).toEqual({ root: 2 })
  })
})

describe('arbitrary software', () => {
  const key = targetKey('notes/releases.json', digestOf(emptyReleases))

  it('of the length that was signed: TRUST_MISMATCH', async () => {
    site.files.set(key, Buffer.alloc(emptyReleases.length, ' '))
    await indexRefused('TRUST_MISMATCH')
  })

  it('shorter than what was signed: TRUST_MISMATCH', async () => {
    site.files.set(key, Buffer.from('{}'))
    await indexRefused('TRUST_MISMATCH')
  })

  it('longer than what was signed: HTTP_TOO_LARGE', async () => {
    site.files.set(key, Buffer.from(`${emptyReleases} `))
    await indexRefused('HTTP_TOO_LARGE')
  })

  it('in the place of another target that was signed, too: TRUST_MISMATCH', async () => {
    const edge = emptyReleases.replace('notes', 'edges')
    site.addTarget('application-notes', 'notes/channels/edge.json', edge)
    site.publish()
    site.files.set(targetKey('notes/channels/edge.json', digestOf(edge)), Buffer.from(emptyReleases))
    await expect(client.open().channel('notes', 'edge')).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })

  it('signed by a hash that we do not compute: TRUST_METADATA', async () => {
    site.targetsOf('application-notes').targets['notes/releases.json']!.hashes = { md5: '0'.repeat(32) }
    site.publish()
    await indexRefused('TRUST_METADATA')
  })

  it('that is signed and not there: TRUST_METADATA', async () => {
    site.files.delete(key)
    await indexRefused('TRUST_METADATA')
  })
})

describe('endless data', () => {
  const key = targetKey('notes/releases.json', digestOf(emptyReleases))

  it.each([
    ['a root', keyOf('root', 2)],
    ['a timestamp', keyOf('timestamp', 1)],
    ['a snapshot', keyOf('snapshot', 1)],
    ['targets', keyOf('targets', 1)],
    ["an application's role", keyOf('application-notes', 1)],
    ['a target', key],
  ])('for %s: HTTP_TOO_LARGE, after little', async (_what, file) => {
    site.behaviours.set(file, { kind: 'endless' })
    await indexRefused('HTTP_TOO_LARGE')
    expect(site.sentBytes).toBeLessThan(16 * 1024 * 1024)
  })
})

describe('slow retrieval', () => {
  it('of a server that stops in the middle: HTTP_FAILED', async () => {
    site.behaviours.set(keyOf('snapshot', 1), { kind: 'stalled' })
    await expect(client.open({ idleTimeoutMs: 50 }).refresh()).rejects.toMatchObject({ code: 'HTTP_FAILED' })
  })

  it('of a server that sends a byte now and then for ever: HTTP_FAILED', async () => {
    site.behaviours.set(keyOf('timestamp', 1), { kind: 'dripping', everyMs: 5 })
    const patience = { idleTimeoutMs: 10_000, fileTimeoutMs: 100 }
    await expect(client.open(patience).refresh()).rejects.toMatchObject({ code: 'HTTP_FAILED' })
  })
})

describe('a server that hides metadata', () => {
  it.each(['timestamp', 'snapshot', 'targets', 'application-notes'])('%s: TRUST_METADATA', async role => {
    await client.refresh()
    site.publish()
    site.files.delete(keyOf(role, 2))
    await indexRefused('TRUST_METADATA')
  })

  it.each([403, 404, 410])('the next root with %i: nothing newer is known', async status => {
    site.publish('root')
    site.behaviours.set(keyOf('root', 2), { kind: 'status', status })
    await client.refresh()
    expect(client.trusted()).toMatchObject({ root: 1 })
  })

  it.each([500, 503])('the next root with %i: HTTP_FAILED', async status => {
    site.behaviours.set(keyOf('root', 2), { kind: 'status', status })
    await refused('HTTP_FAILED')
  })
})

it('metadata is kept byte for byte as it came', async () => {
  const key = keyOf('timestamp', 1)
  const spaced = Buffer.from(`${site.files.get(key)!.toString()} \n`)
  site.files.set(key, spaced)
  await client.refresh()
  await client.refresh()
  const { readFileSync } = await import('node:fs')
  expect(readFileSync(`${client.folder}/timestamp.json`)).toEqual(spaced)
})
