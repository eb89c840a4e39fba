import { Metadata, MetadataKind, Signature, type Targets, Timestamp } from '@tufjs/models'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReleaseError } from '../../../../src/core/error.ts'
import { signedPart } from '../../../../src/repository/tuf/authority.ts'
import { parseSigned } from '../../../../src/repository/tuf/format.ts'
import { nextMetadata } from '../../../../src/repository/tuf/metadata.ts'
import { firstRoot } from '../../../../src/repository/tuf/root.ts'
import { emptyTufState, freeVersions } from '../../../../src/repository/tuf/state.ts'
import { verifyRoot } from '../../../../src/trust/root.ts'
import { memorySigning, memoryTarget } from './signing.ts'

const common = { version: 1, specVersion: '1.0.34', expires: '2030-01-01T00:00:00Z' }
const digest = `sha256:${'a'.repeat(64)}` as const

/** The bytes that tuf-js signs and verifies. */
function canonicalPart(metadata: Metadata<Timestamp | Targets>): Buffer {
  let part: Buffer | undefined
  metadata.sign(bytes => {
    part = bytes
    return new Signature({ keyID: 'k', sig: '' })
  })
  return part!
}

describe('metadata that is written here', () => {
  it("is read and verified by tuf-js's models", async () => {
    const { signing } = memorySigning()
    const root = verifyRoot(firstRoot(signing), 'test')
    const change = {
      applications: new Map([['notes', [{ path: 'notes/releases.json', sizeBytes: 1, digest }]]]),
      ledger: Buffer.from('{}'),
    }
    const files = await nextMetadata(emptyTufState(root), change, signing, freeVersions(memoryTarget([]).target))
    for (const kind of [MetadataKind.Targets, MetadataKind.Snapshot, MetadataKind.Timestamp] as const) {
      const json = JSON.parse(files.find(({ key }) => key.endsWith(`${kind}.json`))!.bytes.toString())
      const metadata = Metadata.fromJSON(kind as MetadataKind.Targets, json)
      expect(() => root.verifyDelegate(kind, metadata)).not.toThrow()
      expect(canonicalPart(metadata)).toEqual(signedPart(json.signed))
    }
  })

  it('has the canonical form of TUF, whatever the names', () => {
    const text = fc
      .string({ unit: 'grapheme', maxLength: 20 })
      .filter(value => !/[\u0000-\u001f\u007f-\u009f]|^\d+$/.test(value))
    const value = fc.dictionary(text, fc.oneof(text, fc.maxSafeInteger(), fc.array(text), fc.dictionary(text, text)))
    fc.assert(
      fc.property(value, field => {
        const metadata = new Metadata(new Timestamp({ ...common, unrecognizedFields: { field } }))
        expect(signedPart(metadata.signed.toJSON())).toEqual(canonicalPart(metadata))
      }),
    )
  })

  it('is made in a time that grows with it', async () => {
    const { signing } = memorySigning()
    const root = verifyRoot(firstRoot(signing), 'test')
    const meta = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, at) => [`application-a${at}.json`, { version: 1 }]),
    )
    const state = { ...emptyTufState(root), snapshot: { version: 1, expiresMs: 0, meta } }
    // The classes of @tufjs/models take 48 seconds for this; the test's own time limit tells.
    const files = await nextMetadata(
      state,
      { applications: new Map(), ledger: Buffer.from('{}') },
      signing,
      freeVersions(memoryTarget([]).target),
    )
    const snapshot = files.find(({ key }) => key === 'metadata/2.snapshot.json')!
    expect(Object.keys(parseSigned(snapshot.bytes, 'snapshot', 'test').signed.meta)).toHaveLength(20_002)
  })
})

describe('parseSigned', () => {
  const common = { version: 1, spec_version: '1.0.34', expires: '2030-01-01T00:00:00Z' }
  const targets = (signed: object) => ({
    signatures: [],
    signed: { _type: 'targets', ...common, targets: {}, ...signed },
  })
  const key = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: 'ab' } }
  const role = { name: 'a', keyids: ['k'], threshold: 1, terminating: true, paths: ['a'] }
  const parse = (json: unknown) => () => parseSigned(Buffer.from(JSON.stringify(json)), 'targets', 'test')

  it('takes what is well-formed', () => {
    expect(parse(targets({ delegations: { keys: { k: key }, roles: [role] } }))).not.toThrow()
  })

  it.each([
    ['another type', targets({ _type: 'snapshot' })],
    ['no version', targets({ version: 0 })],
    ['a fraction of a version', targets({ version: 1.5 })],
    ['no expiry', targets({ expires: 'never' })],
    ['no targets', targets({ targets: [] })],
    ['a target without SHA-256', targets({ targets: { a: { length: 1, hashes: { sha512: 'a' } } } })],
    ['a target without length', targets({ targets: { a: { hashes: { sha256: 'a'.repeat(64) } } } })],
    ['a role delegated twice', targets({ delegations: { keys: {}, roles: [role, role] } })],
    ['a threshold of none', targets({ delegations: { keys: {}, roles: [{ ...role, threshold: 0 }] } })],
    ['a key that is none', targets({ delegations: { keys: { k: 1 }, roles: [] } })],
    ['a signature that is none', { ...targets({}), signatures: [1] }],
    ['two signatures of one key', { ...targets({}), signatures: Array(2).fill({ keyid: 'k', sig: 'aa' }) }],
    ['no signatures', { signed: {} }],
    ['nothing', null],
  ])('refuses %s', (_what, json) => {
    expect(parse(json)).toThrow(expect.objectContaining({ code: 'TRUST_METADATA' }))
  })

  it('answers any bytes with metadata or an error of ours', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), text => {
        for (const type of ['targets', 'snapshot', 'timestamp'] as const) {
          try {
            parseSigned(Buffer.from(text), type, 'test')
          } catch (caught) {
            expect(caught).toBeInstanceOf(ReleaseError)
          }
        }
      }),
    )
  })
})
