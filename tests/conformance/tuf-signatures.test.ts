import { generateKeyPairSync, sign } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  canonicalForm,
  keyOf,
  newKey,
  type SiteClient,
  siteClient,
  type TestKey,
  type TufSite,
  vendorSite,
} from '../support/tuf-attacker.ts'

/** Metadata that is not signed, or not by enough of the right keys. */

let site: TufSite
let client: SiteClient
/** Ten keys, named by their numbers. */
let keys: readonly TestKey[]

beforeEach(async () => {
  site = await vendorSite()
  client = await siteClient(site)
  keys = Array.from({ length: 10 }, () => newKey())
})
afterEach(() => site.close())

const refused = (code: string) => expect(client.refresh()).rejects.toMatchObject({ code })
const some = (numbers: readonly number[]) => numbers.map(number => keys[number]!)

describe('wrong or missing signatures', () => {
  it.each([
    ['root', { root: 1 }],
    ['timestamp', { root: 2 }],
    ['snapshot', { root: 2, timestamp: 2 }],
    ['targets', { root: 2, timestamp: 2, snapshot: 2 }],
  ])('of %s, without any: TRUST_SIGNATURE, and what comes before it is kept', async (role, trusted) => {
    site.signers.set(role, [])
    site.publish()
    await refused('TRUST_SIGNATURE')
    expect(client.trusted()).toEqual(trusted)
  })

  it.each(['root', 'timestamp', 'snapshot', 'targets', 'application-notes'])(
    'of %s, by a key that nobody trusts: TRUST_SIGNATURE',
    async role => {
      site.signers.set(role, [newKey()])
      site.publish()
      await expect(client.open().index('notes')).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
    },
  )

  it.each(['snapshot', 'timestamp', 'targets'])('of %s, over other content: TRUST_SIGNATURE', async role => {
    site.hashes = false
    site.publish()
    site.change(keyOf(role, 2), ({ signed }) => {
      signed['expires'] = '2098-01-01T00:00:00Z'
    })
    await refused('TRUST_SIGNATURE')
  })

  it('of one role under the name of another: TRUST_SIGNATURE', async () => {
    site.signers.set('snapshot', site.signers.get('timestamp')!)
    site.publish()
    await refused('TRUST_SIGNATURE')
  })

  it('of the root that is pinned: TRUST_SIGNATURE, before anything else is asked for', async () => {
    site.change('metadata/root.json', ({ signatures }) => {
      signatures[0]!.sig = '0'.repeat(128)
    })
    await expect(siteClient(site)).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
    expect(site.requests).toEqual(['metadata/root.json'])
  })

  it.each([
    ['no JSON', '{'],
    ['nothing signed', '{"signatures":[]}'],
    ['a list', '[]'],
    ['null', 'null'],
  ])('with %s in the place of the timestamp: TRUST_METADATA', async (_what, text) => {
    site.files.set(keyOf('timestamp', 1), Buffer.from(text))
    await refused('TRUST_METADATA')
  })

  it('beside enough good ones harm nobody: whether wrong, empty or of an unknown key', async () => {
    const [first] = site.signers.get('timestamp')!
    site.setKeys('timestamp', [first!, ...some([0, 1, 2])])
    site.publish('root', 'timestamp')
    site.change(keyOf('timestamp', 1), ({ signatures }) => {
      signatures[1]!.sig = '0'.repeat(128)
      signatures[2]!.sig = ''
      signatures[3]!.keyid = 'unknown'
    })
    await client.refresh()
    expect(client.trusted()).toMatchObject({ timestamp: 2 })
  })
})

describe('a threshold that is not met', () => {
  it('with one signature of two: TRUST_SIGNATURE', async () => {
    site.setKeys('snapshot', some([0, 1]), 2)
    site.signers.set('snapshot', some([0]))
    site.publish()
    await refused('TRUST_SIGNATURE')
    expect(client.trusted()).toMatchObject({ root: 2, timestamp: 2 })
  })

  it('with a threshold that there are not enough keys for: TRUST_SIGNATURE', async () => {
    site.setKeys('snapshot', some([0, 1, 2]), 6)
    site.publish()
    await refused('TRUST_SIGNATURE')
  })

  it('with one key that a role lists several times: TRUST_METADATA, and the root is not taken', async () => {
    site.setKeys('snapshot', some([0]), 2)
    site.root.roles['snapshot']!.keyids = [keys[0]!.id, keys[0]!.id]
    site.publish()
    await refused('TRUST_METADATA')
    expect(client.trusted()).toEqual({ root: 1 })
  })

  it.each([1, 2])(
    'with one signature that is listed several times, of %i that must be: TRUST_METADATA',
    async threshold => {
      site.hashes = false
      site.setKeys('snapshot', some([0, 1]), threshold)
      site.signers.set('snapshot', some([0]))
      site.publish()
      site.change(keyOf('snapshot', 2), ({ signatures }) => {
        for (let copy = 0; copy < 8; copy += 1) signatures.push(signatures[0]!)
      })
      await refused('TRUST_METADATA')
      expect(client.trusted()).not.toHaveProperty('snapshot')
    },
  )
})

interface Signing {
  readonly keys: readonly number[]
  readonly threshold: number
  readonly by: readonly number[]
}
const signing = (...[names, threshold, by]: [readonly number[], number, readonly number[]]): Signing => ({
  keys: names,
  threshold,
  by,
})

describe('a chain of roots', () => {
  it.each<[string, readonly Signing[]]>([
    ['whose key is changed, signed by both', [signing([1], 1, [1]), signing([2], 1, [2, 1]), signing([2], 1, [2])]],
    [
      'with signatures that nobody asked for',
      [signing([1], 1, [3, 1, 4]), signing([2], 1, [3, 2, 1, 4]), signing([2], 1, [3, 2, 4])],
    ],
    [
      'signed by three of five, others each time',
      [
        signing([0, 1, 2, 3, 4], 3, [0, 2, 4]),
        signing([0, 1, 2, 3, 4], 3, [0, 4, 1]),
        signing([0, 1, 2, 3, 4], 3, [0, 1, 3]),
      ],
    ],
    [
      'in which one of five keys changes',
      [signing([0, 1, 2, 3, 4], 3, [0, 2, 4]), signing([0, 1, 3, 4, 5], 3, [0, 4, 1])],
    ],
    [
      'in which one of five keys changes, with a step between',
      [
        signing([0, 1, 2, 3, 4], 3, [0, 2, 4]),
        signing([0, 1, 3, 4, 5], 3, [0, 2, 4, 5]),
        signing([0, 1, 3, 4, 5], 3, [0, 4, 5]),
      ],
    ],
    [
      'in which all keys change',
      [
        signing([0, 1, 2, 3, 4], 3, [0, 2, 4]),
        signing([5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7]),
        signing([5, 6, 7, 8, 9], 3, [5, 6, 7]),
      ],
    ],
    ['whose threshold rises', [signing([1, 2, 3], 1, [1]), signing([1, 2, 3], 2, [1, 2])]],
    [
      'whose threshold falls',
      [signing([1, 2, 3], 2, [1, 2]), signing([1, 2, 3], 1, [1, 2]), signing([1, 2, 3], 1, [1])],
    ],
    ['to which a key and a threshold are added', [signing([1], 1, [1]), signing([1, 2], 2, [1, 2])]],
  ])('%s is followed', async (_what, chain) => {
    const follower = await chained(chain)
    await follower.refresh()
    expect(follower.trusted()).toMatchObject({ root: chain.length + 1 })
  })

  it.each<[string, readonly Signing[]]>([
    ['whose new root the old key did not sign', [signing([1], 1, [1]), signing([2], 1, [2, 3, 4])]],
    ['whose new root its own key did not sign', [signing([1], 1, [1]), signing([2], 1, [1, 3, 4])]],
    [
      'whose new root too few of its own keys signed',
      [signing([0, 1, 2, 3, 4], 3, [0, 2, 4]), signing([0, 1, 3, 4, 5], 3, [0, 2, 4])],
    ],
    [
      'whose new root too few of the old keys signed',
      [signing([0, 1, 2, 3, 4], 3, [0, 2, 4]), signing([0, 1, 3, 4, 5], 3, [0, 4, 5])],
    ],
    ['whose higher threshold is not reached', [signing([1, 2, 3], 1, [1]), signing([1, 2, 3], 2, [2])]],
    ['whose old, higher threshold is not reached', [signing([1, 2, 3], 2, [1, 2]), signing([1, 2, 3], 1, [1])]],
  ])('%s is refused: TRUST_SIGNATURE', async (_what, chain) => {
    const follower = await chained(chain)
    await expect(follower.refresh()).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
    expect(follower.trusted()).toEqual({ root: chain.length })
  })

  it('with a gap ends before it', async () => {
    site.publish('root')
    site.publish('root')
    site.files.delete(keyOf('root', 2))
    await client.refresh()
    expect(client.trusted()).toMatchObject({ root: 1 })
  })

  it('without an end costs a client 256 roots at a time, and no more', async () => {
    for (let version = 0; version < 300; version += 1) site.publish('root')
    await client.refresh()
    expect(client.trusted()).toMatchObject({ root: 257 })
    expect(site.requests.filter(request => request.endsWith('root.json'))).toHaveLength(256)
    await client.refresh()
    expect(client.trusted()).toMatchObject({ root: 301 })
  })

  async function chained(chain: readonly Signing[]): Promise<SiteClient> {
    let follower: SiteClient | undefined
    for (const { keys: names, threshold, by } of chain) {
      site.setKeys('root', some(names), threshold)
      // The first one of the chain is signed by the root of the site as well, which nobody asks for.
      site.signers.set('root', some(by))
      site.publish('root')
      follower ??= await siteClient(site)
    }
    return follower!
  }
})

describe('other roles whose keys change with the root', () => {
  it.each<[string, Signing]>([
    ['a new key', signing([2], 1, [2])],
    ['signatures that nobody asked for', signing([1], 1, [3, 1, 4])],
    ['three of five', signing([0, 1, 2, 3, 4], 3, [0, 2, 4])],
    ['three of five others', signing([0, 1, 2, 3, 4], 3, [2, 3, 4])],
  ])('are followed with %s', async (_what, { keys: names, threshold, by }) => {
    for (const role of ['timestamp', 'snapshot', 'targets']) {
      site.setKeys(role, some(names), threshold)
      site.signers.set(role, some(by))
    }
    site.publish()
    await client.refresh()
    expect(client.trusted()).toEqual({ root: 2, timestamp: 2, snapshot: 2, targets: 2 })
  })

  it.each<[string, Signing]>([
    ['the old key alone', signing([2], 1, [1, 3, 4])],
    ['a key that was dropped among three', signing([0, 1, 3, 4, 5], 3, [0, 2, 4])],
    ['two of three', signing([0, 1, 3, 4, 5], 3, [0, 4])],
  ])('are refused with %s: TRUST_SIGNATURE', async (_what, { keys: names, threshold, by }) => {
    for (const role of ['timestamp', 'snapshot', 'targets']) {
      const own = site.signers.get(role)!
      site.setKeys(role, some(names), threshold)
      site.signers.set(role, some(by))
      site.publish()
      await refused('TRUST_SIGNATURE')
      site.setKeys(role, own)
      site.publish()
    }
    await client.refresh()
  })
})

describe('keys', () => {
  it.each(['rsa', 'ecdsa'] as const)('of type %s count, and wrong signatures of them do not', async type => {
    const pair =
      type === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const json = {
      keytype: type,
      scheme: type === 'rsa' ? 'rsassa-pss-sha256' : 'ecdsa-sha2-nistp256',
      keyval: { public: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString() },
    }
    const [own] = site.signers.get('root')!
    site.root.keys['other'] = json
    site.root.roles['root'] = { keyids: [own!.id, 'other'], threshold: 2 }
    site.publish('root')
    const signature = (text: string) =>
      sign(
        'sha256',
        Buffer.from(text),
        type === 'rsa' ? { key: pair.privateKey, padding: 6, saltLength: 32 } : pair.privateKey,
      )
    const add = (version: number, text: (signed: unknown) => string) =>
      site.change(keyOf('root', version), ({ signatures, signed }) => {
        signatures.push({ keyid: 'other', sig: signature(text(signed)).toString('hex') })
      })
    add(2, canonicalForm)
    await client.refresh()
    expect(client.trusted()).toMatchObject({ root: 2 })
    site.publish('root')
    add(3, () => 'other bytes')
    await refused('TRUST_SIGNATURE')
  })

  it('and other parts may have fields that nobody knows, which are signed with the rest', async () => {
    site.root['custom'] = 'value'
    site.setKeys('snapshot', [newKey({ keyid_hash_algorithms: 'md5', more: { a: 1, b: 2 } })])
    site.publish()
    await client.refresh()
    expect(client.trusted()).toMatchObject({ root: 2, snapshot: 2 })
    site.publish('root')
    site.change(keyOf('root', 3), ({ signed }) => {
      signed['custom'] = 'other'
    })
    await refused('TRUST_SIGNATURE')
  })
})
