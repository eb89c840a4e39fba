import { beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import { delegatedAuthority } from '../../../../src/repository/tuf/authority.ts'
import { withApplications } from '../../../../src/repository/tuf/delegation.ts'
import { type MetadataChange, type MetadataFile, nextMetadata } from '../../../../src/repository/tuf/metadata.ts'
import { firstRoot, nextRoot, rootRoles } from '../../../../src/repository/tuf/root.ts'
import {
  emptyTufState,
  freeVersions,
  readLedgerBytes,
  readRole,
  readTarget,
  readTufState,
  type TufState,
} from '../../../../src/repository/tuf/state.ts'
import { targetKey } from '../../../../src/trust/layout.ts'
import { verifyRoot } from '../../../../src/trust/root.ts'
import { memorySigning, memoryTarget, newSigner } from './signing.ts'

const { signing, asked, known } = memorySigning()
const target = (path: string) => ({ path, sizeBytes: path.length, digest: digestOf(path) })
const ledger = Buffer.from('{}\n')
let root: string
let empty: TufState

beforeAll(() => {
  root = firstRoot(signing).toString()
  empty = emptyTufState(verifyRoot(Buffer.from(root), 'test'))
})

const notes = (...paths: readonly string[]) => new Map([['notes', paths.map(target)]])

function next(
  state: TufState,
  change: Partial<MetadataChange>,
  { by = signing, left = [] as readonly string[], files = [] as readonly MetadataFile[] } = {},
) {
  const complete = { applications: new Map(), ledger, ...change }
  return nextMetadata(state, complete, by, freeVersions(memoryTarget(files, left).target))
}

const first = () => next(empty, { applications: notes('notes/releases.json'), topTargets: [target('repository.json')] })
const read = (files: readonly MetadataFile[]) => readTufState(memoryTarget(files).target, root)

describe('nextMetadata', () => {
  it('makes what the publisher reads back as the next state', async () => {
    const files = await first()
    const state = await read(files)
    expect(state.timestamp.version).toBe(1)
    expect(state.targets.delegations.roles).toEqual([
      expect.objectContaining({
        name: 'application-notes',
        terminating: true,
        paths: ['notes/releases.json', 'notes/channels/*.json'],
      }),
    ])
    expect([...state.targets.targets.keys()]).toEqual(['repository.json'])
    const role = await readRole(memoryTarget(files).target, state, 'application-notes')
    expect([...role.targets]).toEqual([
      ['notes/releases.json', { sizeBytes: 19, digest: digestOf('notes/releases.json') }],
    ])
    expect(await readLedgerBytes(memoryTarget(files).target, state)).toEqual(ledger)
    const authority = delegatedAuthority(state.targets.delegations, 'application-notes')
    expect([...authority!.keys.keys()]).toEqual([known.get('application-notes')![0]!.key.keyID])
  })

  it('signs with the targets key only when an application is new', async () => {
    const files = await first()
    const state = await read(files)
    asked.length = 0
    const changed = await next(
      state,
      { applications: notes('notes/releases.json', 'notes/channels/edge.json') },
      { files },
    )
    expect(new Set(asked)).toEqual(new Set(['application-notes', 'snapshot', 'timestamp']))
    expect(changed.map(file => file.key)).toEqual([
      'metadata/2.application-notes.json',
      'metadata/2.ledger.json',
      'metadata/2.snapshot.json',
      'metadata/timestamp.json',
    ])
    expect(changed.map(file => file.immutable)).toEqual([true, true, true, false])
  })

  it('does not sign any more for what a list leaves out', async () => {
    const files = await first()
    const changed = await next(await read(files), { applications: notes('notes/channels/edge.json') }, { files })
    const all = [...files, ...changed]
    const role = await readRole(memoryTarget(all).target, await read(all), 'application-notes')
    expect([...role.targets.keys()]).toEqual(['notes/channels/edge.json'])
  })

  it('reads no role of an application that nobody asks for', async () => {
    const { target: memory, got } = memoryTarget(await first())
    await readTufState(memory, root)
    expect(got).toEqual([
      'metadata/2.root.json',
      'metadata/timestamp.json',
      'metadata/1.snapshot.json',
      'metadata/1.targets.json',
    ])
  })

  it('never uses the number of a file that a killed upload left', async () => {
    const state = await read(await first())
    const left = ['metadata/2.snapshot.json', 'metadata/3.ledger.json', 'metadata/2.application-notes.json']
    const files = await next(state, { applications: notes() }, { left })
    expect(files.map(file => file.key)).toEqual([
      'metadata/3.application-notes.json',
      'metadata/4.ledger.json',
      'metadata/4.snapshot.json',
      'metadata/timestamp.json',
    ])
  })

  it('dates everything in whole seconds', async () => {
    const timestamp = JSON.parse((await first()).at(-1)!.bytes.toString())
    expect(timestamp.signed.expires).toBe('2026-12-21T10:11:12Z')
  })

  it.each(['application-notes', 'snapshot', 'timestamp'])(
    'refuses to sign for %s with a key that the repository does not trust, or without one',
    async role => {
      const state = await read(await first())
      const stranger = newSigner(role)
      const others = (found: readonly (typeof stranger)[]) => ({
        ...signing,
        signers: (name: string) => (name === role ? found : signing.signers(name)),
      })
      const change = { applications: notes() }
      await expect(next(state, change, { by: others([stranger]) })).rejects.toMatchObject({
        code: 'KEY_MISMATCH',
        details: { role, found: [stranger.key.keyID] },
      })
      await expect(next(state, change, { by: others([]) })).rejects.toMatchObject({ code: 'KEY_MISSING' })
    },
  )

  it('keeps an application called like a role apart from it', async () => {
    const files = await next(empty, { applications: new Map([['snapshot', [target('snapshot/releases.json')]]]) })
    expect((await read(files)).targets.delegations.roles.map(({ name }) => name)).toEqual(['application-snapshot'])
  })

  it('signs the top-level targets anew when it is asked to, and not otherwise', async () => {
    const files = await first()
    const state = await read(files)
    const keysOf = async (change: Partial<MetadataChange>) =>
      (await next(state, change, { files })).map(({ key }) => key)
    expect(await keysOf({ topTargets: [target('repository.json')] })).not.toContain('metadata/2.targets.json')
    expect(await keysOf({ renewTargets: true })).toContain('metadata/2.targets.json')
    expect(await keysOf({ topTargets: [] })).toContain('metadata/2.targets.json')
  })

  it('will not leave a role behind that other keys sign for from now on', async () => {
    const files = await first()
    const state = await read(files)
    const publicKey = newSigner().key.keyVal['public']!
    const delegations = withApplications(
      state.targets.delegations,
      new Map([['notes', { publicKeys: [publicKey], threshold: 1 }]]),
    )
    await expect(next(state, { delegations }, { files })).rejects.toThrow('notes has other keys')
  })
})

describe('thresholds', () => {
  const many = memorySigning()
  for (const role of ['root', 'targets', 'snapshot', 'timestamp']) {
    many.known.set(role, [newSigner(role), newSigner(role), newSigner(role)])
  }

  it('has every key at hand sign, and says how many are missing', async () => {
    const text = firstRoot(many.signing, { root: 2, snapshot: 2 }).toString()
    const state = emptyTufState(verifyRoot(Buffer.from(text), 'test'))
    const files = await next(state, {}, { by: many.signing })
    const snapshot = JSON.parse(files.find(({ key }) => key.includes('snapshot'))!.bytes.toString())
    expect(snapshot.signatures).toHaveLength(3)
    const one = { ...many.signing, signers: (role: string) => many.signing.signers(role).slice(0, 1) }
    await expect(next(state, {}, { by: one })).rejects.toMatchObject({
      code: 'KEY_THRESHOLD',
      details: { role: 'snapshot', threshold: 2, atHand: 1 },
    })
    const two = { ...many.signing, signers: (role: string) => many.signing.signers(role).slice(1) }
    const signed = await next(state, {}, { by: two })
    expect((await readTufState(memoryTarget(signed).target, text)).snapshot.version).toBe(1)
  })

  it('counts no key twice', async () => {
    const text = firstRoot(many.signing, { timestamp: 2 }).toString()
    const files = await next(emptyTufState(verifyRoot(Buffer.from(text), 'test')), {}, { by: many.signing })
    const forged = files.map(file => {
      if (file.key !== 'metadata/timestamp.json') return file
      const json = JSON.parse(file.bytes.toString())
      const [one] = json.signatures
      return { ...file, bytes: Buffer.from(JSON.stringify({ ...json, signatures: [one, one] })) }
    })
    await expect(readTufState(memoryTarget(forged).target, text)).rejects.toMatchObject({ code: 'TRUST_METADATA' })
  })
})

describe('a root that follows', () => {
  const others = memorySigning()

  it('is found by the publisher, and its keys sign from then on', async () => {
    const files = await first()
    const state = await read(files)
    const added = newSigner('snapshot')
    known.set('snapshot', [...known.get('snapshot')!, added])
    const roles = rootRoles(state.root)
    const rotated = nextRoot(
      state.root,
      { ...roles, snapshot: { publicKeys: [added.key.keyVal['public']!], threshold: 1 } },
      signing,
    )
    const changed = await next(state, { root: rotated }, { files })
    expect(changed.slice(0, 2).map(({ key, immutable }) => [key, immutable])).toEqual([
      ['metadata/2.root.json', true],
      ['metadata/root.json', false],
    ])
    const after = await read([...files, ...changed])
    expect(after.root.signed.version).toBe(2)
    expect(after.rootBytes).toEqual(rotated)
    expect(after.snapshot.version).toBe(2)
  })

  it('has the top-level targets signed anew when their keys change', async () => {
    const files = await first()
    const state = await read(files)
    const added = newSigner('targets')
    known.set('targets', [...known.get('targets')!, added])
    const targets = { publicKeys: [added.key.keyVal['public']!], threshold: 1 }
    const rotated = nextRoot(state.root, { ...rootRoles(state.root), targets }, signing)
    const changed = await next(state, { root: rotated }, { files })
    expect(changed.map(({ key }) => key)).toContain('metadata/2.targets.json')
    expect((await read([...files, ...changed])).targets.version).toBe(2)
  })

  it('has the targets signed by a key that joins the old one, so that the old one can go unnoticed', async () => {
    const own = memorySigning()
    const text = firstRoot(own.signing).toString()
    const start = emptyTufState(verifyRoot(Buffer.from(text), 'test'))
    const files = await next(start, {}, { by: own.signing })
    const state = await readTufState(memoryTarget(files).target, text)
    const roles = rootRoles(state.root)
    const [old] = own.known.get('targets')!
    const added = newSigner('targets')
    own.known.set('targets', [old!, added])
    const publicKeys = [...roles.targets.publicKeys, added.key.keyVal['public']!]
    const both = nextRoot(state.root, { ...roles, targets: { publicKeys, threshold: 1 } }, own.signing)
    const joined = await next(state, { root: both }, { by: own.signing, files })
    const targets = joined.find(({ key }) => key === 'metadata/2.targets.json')!
    expect(JSON.parse(targets.bytes.toString()).signatures).toHaveLength(2)
    const after = await readTufState(memoryTarget([...files, ...joined]).target, text)
    const alone = { publicKeys: publicKeys.slice(1), threshold: 1 }
    const dropped = nextRoot(after.root, { ...rootRoles(after.root), targets: alone }, own.signing)
    const rest = await next(after, { root: dropped }, { by: own.signing, files: [...files, ...joined] })
    expect(rest.map(({ key }) => key)).not.toContain('metadata/3.targets.json')
  })

  it('is refused when the root before did not sign it, or its number leaves a gap', async () => {
    const state = await read(await first())
    const stranger = firstRoot(others.signing)
    await expect(next(state, { root: stranger })).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
    await expect(next(state, { root: Buffer.from(root) })).rejects.toMatchObject({ code: 'TRUST_ROLLBACK' })
  })
})

describe('readTufState', () => {
  it('reads an expired repository, for publishing is what mends it', async () => {
    const old = await next(empty, {}, { by: { ...signing, nowMs: Date.parse('2000-01-01') } })
    expect((await read(old)).timestamp.version).toBe(1)
  })

  it('takes a repository without timestamp for a new one', async () => {
    expect((await read([])).timestamp).toMatchObject({ version: 0, digest: undefined })
  })

  it('says which file is missing', async () => {
    const files = (await first()).filter(file => !file.key.includes('snapshot'))
    await expect(read(files)).rejects.toMatchObject({
      code: 'REPOSITORY_DAMAGED',
      details: { key: 'metadata/1.snapshot.json' },
    })
  })

  it.each([
    ['metadata/1.targets.json', 'TRUST_MISMATCH'],
    ['metadata/1.snapshot.json', 'TRUST_MISMATCH'],
    ['metadata/timestamp.json', 'TRUST_SIGNATURE'],
  ])('refuses a change of %s', async (key, code) => {
    const later = (bytes: Buffer) => Buffer.from(bytes.toString().replace('"expires":"2', '"expires":"3'))
    const files = (await first()).map(file => (file.key === key ? { ...file, bytes: later(file.bytes) } : file))
    await expect(read(files)).rejects.toMatchObject({ code })
  })

  it('reads a target only when its bytes are those signed', async () => {
    const files = await first()
    const state = await read(files)
    const key = targetKey('repository.json', digestOf('repository.json'))
    const holding = (text: string) =>
      memoryTarget([...files, { key, bytes: Buffer.from(text), immutable: true }]).target
    expect(await readTarget(holding('repository.json'), state.targets, 'repository.json')).toEqual(
      Buffer.from('repository.json'),
    )
    expect(await readTarget(holding('repository.json'), state.targets, 'other.json')).toBeUndefined()
    await expect(readTarget(holding('repositorY.json'), state.targets, 'repository.json')).rejects.toMatchObject({
      code: 'REPOSITORY_DAMAGED',
    })
    await expect(readTarget(holding('repository.json'), state.targets, 'repository.json', 3)).rejects.toMatchObject({
      code: 'REPOSITORY_DAMAGED',
    })
  })
})
