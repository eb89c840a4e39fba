import { beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import { generateTufKey } from '../../../../src/repository/keys/folder.ts'
import type { StoredObject, TargetReader } from '../../../../src/repository/target.ts'
import {
  defaultLifetimesDays,
  firstRoot,
  type MetadataFile,
  nextMetadata,
  type Signing,
} from '../../../../src/repository/tuf/metadata.ts'
import { type TufSigner, tufSigner } from '../../../../src/repository/tuf/signer.ts'
import { emptyTufState, readTufState, type TufState } from '../../../../src/repository/tuf/state.ts'
import { verifyRoot } from '../../../../src/trust/root.ts'

const signers = new Map<string, TufSigner>()
const asked: string[] = []
const signing: Signing = {
  nowMs: Date.parse('2026-11-21T10:11:12.345Z'),
  lifetimesDays: defaultLifetimesDays,
  signer: role => {
    asked.push(role)
    const signer = signers.get(role) ?? tufSigner(generateTufKey(role))
    signers.set(role, signer)
    return signer
  },
}
const target = (path: string) => ({ path, sizeBytes: path.length, digest: digestOf(path) })
let root: string
let empty: TufState

beforeAll(() => {
  root = firstRoot(signing).toString()
  empty = emptyTufState(verifyRoot(Buffer.from(root), 'test'))
})

/** A target that holds some files in memory. */
function memory(files: readonly MetadataFile[], others: readonly string[] = []): TargetReader {
  const byKey = new Map(files.map(file => [file.key, file.bytes]))
  const stored = (bytes: Buffer): StoredObject => ({ sizeBytes: bytes.byteLength, digest: digestOf(bytes) })
  return {
    name: 'memory',
    get: async key => byKey.get(key),
    head: async key => (byKey.has(key) ? stored(byKey.get(key)!) : undefined),
    list: async () => [...byKey.keys(), ...others],
  }
}

const first = () => nextMetadata(empty, new Map([['notes', [target('notes/releases.json')]]]), signing)

describe('nextMetadata', () => {
  it('makes what the publisher reads back as the next state', async () => {
    const state = await readTufState(memory(first()), root)
    expect(state.timestamp.version).toBe(1)
    expect(state.targets.delegations?.roles?.['application-notes']).toMatchObject({
      terminating: true,
      paths: ['notes/*/release.json', 'notes/releases.json'],
    })
    expect(Object.keys(state.roles.get('application-notes')!.targets)).toEqual(['notes/releases.json'])
  })

  it('signs with the root and targets keys only when an application is new', async () => {
    const state = await readTufState(memory(first()), root)
    asked.length = 0
    const files = nextMetadata(state, new Map([['notes', [target('notes/1.0.0/release.json')]]]), signing)
    expect(new Set(asked)).toEqual(new Set(['application-notes', 'snapshot', 'timestamp']))
    expect(files.map(file => file.key)).toEqual([
      'metadata/2.application-notes.json',
      'metadata/2.snapshot.json',
      'metadata/timestamp.json',
    ])
    const next = await readTufState(memory([...first(), ...files]), root)
    expect(Object.keys(next.roles.get('application-notes')!.targets).toSorted()).toEqual([
      'notes/1.0.0/release.json',
      'notes/releases.json',
    ])
  })

  it('never uses the number of a file that a killed upload left', async () => {
    const state = await readTufState(
      memory(first(), ['metadata/7.snapshot.json', 'metadata/3.application-notes.json']),
      root,
    )
    const files = nextMetadata(state, new Map([['notes', []]]), signing)
    expect(files.map(file => file.key)).toEqual([
      'metadata/4.application-notes.json',
      'metadata/8.snapshot.json',
      'metadata/timestamp.json',
    ])
  })

  it('dates everything in whole seconds', () => {
    const timestamp = JSON.parse(first().at(-1)!.bytes.toString())
    expect(timestamp.signed.expires).toBe('2026-12-21T10:11:12Z')
  })

  it('refuses to sign with a key that the repository does not trust', async () => {
    const state = await readTufState(memory(first()), root)
    for (const role of ['application-notes', 'snapshot', 'timestamp']) {
      const stranger = tufSigner(generateTufKey(role))
      const signer = (name: string) => (name === role ? stranger : signing.signer(name))
      expect(() => nextMetadata(state, new Map([['notes', []]]), { ...signing, signer })).toThrow(
        expect.objectContaining({ code: 'KEY_MISMATCH', details: { role, found: stranger.key.keyID } }),
      )
    }
  })

  it('keeps an application called like a role apart from it', async () => {
    const files = nextMetadata(empty, new Map([['snapshot', [target('snapshot/releases.json')]]]), signing)
    const state = await readTufState(memory(files), root)
    expect([...state.roles.keys()]).toEqual(['application-snapshot'])
  })
})

describe('readTufState', () => {
  it('reads an expired repository, for publishing is what mends it', async () => {
    const old = nextMetadata(empty, new Map(), { ...signing, nowMs: Date.parse('2000-01-01') })
    expect((await readTufState(memory(old), root)).timestamp.version).toBe(1)
  })

  it('takes a repository without timestamp for a new one', async () => {
    expect((await readTufState(memory([]), root)).timestamp).toEqual({ version: 0, digest: undefined })
  })

  it('says which file is missing', async () => {
    const files = first().filter(file => !file.key.includes('snapshot'))
    await expect(readTufState(memory(files), root)).rejects.toMatchObject({
      code: 'REPOSITORY_DAMAGED',
      details: { key: 'metadata/1.snapshot.json' },
    })
  })

  it.each([0, 1, 2, 3])('refuses a change of file %i', async at => {
    const files = first().map((file, index) =>
      index === at
        ? { ...file, bytes: Buffer.from(file.bytes.toString().replace('"expires":"2', '"expires":"3')) }
        : file,
    )
    await expect(readTufState(memory(files), root)).rejects.toMatchObject({
      code: expect.stringMatching(/^TRUST_(SIGNATURE|MISMATCH)$/),
    })
  })
})
