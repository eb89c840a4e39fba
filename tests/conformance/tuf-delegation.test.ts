import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { emptyReleases, newKey, type SiteClient, siteClient, TufSite, vendorSite } from '../support/tuf-attacker.ts'

/** Roles that sign for what they were not asked to, keys that were stolen, and names that are traps. */

let site: TufSite
let client: SiteClient

beforeEach(async () => {
  site = await vendorSite()
  client = await siteClient(site)
})
afterEach(() => site.close())

const indexRefused = (code: string) => expect(client.open().index('notes')).rejects.toMatchObject({ code })

describe('a role that signs outside of its paths', () => {
  it('is not asked for the list of another application: RELEASE_UNKNOWN', async () => {
    site.delegate('application-evil', ['evil/releases.json', 'evil/channels/*.json'])
    delete site.targetsOf('application-notes').targets['notes/releases.json']
    site.addTarget('application-evil', 'notes/releases.json', emptyReleases)
    site.publish()
    await indexRefused('RELEASE_UNKNOWN')
    expect(site.requests).not.toContain('metadata/1.application-evil.json')
  })

  it('does not get further with a wildcard than to the next slash', async () => {
    site.addTarget('application-notes', 'notes/channels/deep/edge.json', '{}')
    site.publish()
    expect(await client.view().target('notes/channels/deep/edge.json')).toBeUndefined()
  })

  it('cannot say who signs for another application', async () => {
    site.delegate('application-notes-inner', ['other/releases.json'], { from: 'application-notes' })
    site.addTarget('application-notes-inner', 'other/releases.json', emptyReleases)
    site.publish()
    expect(await client.view().target('other/releases.json')).toBeUndefined()
  })
})

describe('a role that', () => {
  it('is delegated and not in the snapshot: TRUST_METADATA, and it is not fetched', async () => {
    site.delegate('application-new', ['new/releases.json'])
    site.publish('targets')
    site.publish('application-new')
    delete site.snapshot.meta['application-new.json']
    site.publish('snapshot', 'timestamp')
    await client.refresh()
    await expect(client.open().index('new')).rejects.toMatchObject({ code: 'TRUST_METADATA' })
    expect(site.requests.some(request => request.includes('application-new'))).toBe(false)
  })

  it('two others delegate to is verified for each of them: TRUST_SIGNATURE', async () => {
    for (const name of ['a', 'b']) site.delegate(`parent-${name}`, [`${name}/*`])
    const key = newKey()
    site.delegate('shared', ['a/*'], { from: 'parent-a', key })
    site.delegate('shared', ['b/*'], { from: 'parent-b' })
    site.signers.set('shared', [key])
    site.addTarget('shared', 'a/file', 'good')
    site.addTarget('shared', 'b/file', 'bad')
    site.publish()
    const view = client.view()
    expect((await view.target('a/file'))?.toString()).toBe('good')
    await expect(view.target('b/file')).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
  })

  it.each(['?', '#', '/rooted', '../outside', '%2e%2e', 'späte Ähre', '"quoted"'])(
    'is called %s is asked for by its name, and kept inside of the trust folder',
    async name => {
      site.delegate(name, ['odd/*'])
      site.addTarget(name, 'odd/file', 'content')
      site.publish()
      expect((await client.view().target('odd/file'))?.toString()).toBe('content')
      expect(site.requests).toContain(`metadata/1.${encodeURIComponent(name)}.json`)
      expect(fs.existsSync(path.join(client.folder, `${encodeURIComponent(name)}.json`))).toBe(true)
      expect(fs.readdirSync(path.dirname(client.folder))).toEqual(['trust'])
    },
  )
})

describe('the search for a target', () => {
  it.each<[string, readonly (readonly [string, string, string, boolean])[], readonly string[]]>([
    [
      'goes on in order',
      [
        ['targets', 'A', '*', false],
        ['targets', 'B', '*', false],
      ],
      ['A', 'B'],
    ],
    [
      'goes deep first',
      [
        ['targets', 'A', '*', false],
        ['targets', 'B', '*', false],
        ['A', 'C', '*', false],
      ],
      ['A', 'C', 'B'],
    ],
    [
      'ends at a terminating role',
      [
        ['targets', 'A', '*', true],
        ['targets', 'B', '*', false],
        ['A', 'C', '*', false],
      ],
      ['A', 'C'],
    ],
    [
      'leaves out what does not match',
      [
        ['targets', 'A', '*.py', false],
        ['targets', 'B', '*', false],
        ['A', 'C', '*', false],
      ],
      ['B'],
    ],
    [
      'does not go in circles',
      [
        ['targets', 'A', '*', false],
        ['A', 'B', '*', false],
        ['B', 'A', '*', false],
      ],
      ['A', 'B'],
    ],
    ['is case sensitive', [['targets', 'A', 'MISSING', false]], []],
    [
      'knows the question mark',
      [
        ['targets', 'A', 'missin?', false],
        ['targets', 'B', 'missing?', false],
      ],
      ['A'],
    ],
  ])('%s', async (_what, delegations, visited) => {
    for (const [from, name, pattern, terminating] of delegations) site.delegate(name, [pattern], { from, terminating })
    site.publish()
    expect(await client.view().target('missing')).toBeUndefined()
    const asked = site.requests.map(request => /^metadata\/1\.([A-C])\.json$/.exec(request)?.[1])
    expect(asked.filter(name => name !== undefined)).toEqual(visited)
  })

  it('ends after a bounded number of roles, however many there are', async () => {
    const large = new TufSite()
    for (let role = 0; role < 100; role += 1) large.delegate(`role-${role}`, ['*'], { terminating: false })
    large.publish()
    await large.serve()
    const visitor = await siteClient(large)
    expect(await visitor.view().target('missing')).toBeUndefined()
    expect(large.requests.filter(request => request.includes('role-')).length).toBeLessThanOrEqual(32)
    await large.close()
  })
})

describe('a stolen key', () => {
  it.each(['timestamp', 'snapshot', 'targets'])(
    'of %s signs nothing any more once the root was rotated: TRUST_SIGNATURE',
    async role => {
      const stolen = site.signers.get(role)!
      await client.refresh()
      site.setKeys(role, [newKey()])
      site.publish()
      await client.refresh()
      site.signers.set(role, stolen)
      site.publish(...new Set([role, 'snapshot', 'timestamp']))
      await expect(client.refresh()).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
    },
  )

  it('of the timestamp and the snapshot alone cannot make up software: TRUST_SIGNATURE', async () => {
    site.signers.set('targets', [newKey()])
    site.publish('targets', 'snapshot', 'timestamp')
    await indexRefused('TRUST_SIGNATURE')
  })

  it('of an application signs nothing any more once targets name another: TRUST_SIGNATURE', async () => {
    const stolen = site.signers.get('application-notes')!
    await client.open().index('notes')
    const key = newKey()
    const { delegations } = site.targetsOf('targets')
    delegations!.keys[key.id] = key.json
    delegations!.roles[0]!.keyids = [key.id]
    site.signers.set('application-notes', [key])
    site.publish()
    await client.open().index('notes')
    site.signers.set('application-notes', stolen)
    site.publish('application-notes', 'snapshot', 'timestamp')
    await indexRefused('TRUST_SIGNATURE')
  })

  it('of the root alone is not enough where two must sign, and goes with the next root', async () => {
    const [stolen, other, fresh] = [newKey(), newKey(), newKey()]
    const pinned = new TufSite()
    pinned.setKeys('root', [stolen, other], 2)
    pinned.publish()
    await pinned.serve()
    const watcher = await siteClient(pinned)
    // The thief names a root of its own.
    pinned.setKeys('root', [stolen], 1)
    pinned.publish('root')
    await expect(watcher.refresh()).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
    // The owners put another key in its place, both signing.
    pinned.root.version = 1
    pinned.setKeys('root', [fresh, other], 2)
    pinned.signers.set('root', [stolen, other, fresh])
    pinned.publish('root')
    await watcher.refresh()
    expect(watcher.trusted()).toMatchObject({ root: 2 })
    pinned.setKeys('root', [stolen, other], 2)
    pinned.signers.set('root', [stolen])
    pinned.publish('root')
    await expect(watcher.refresh()).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
    await pinned.close()
  })
})
