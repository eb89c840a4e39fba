import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../../../src/core/canonical-json.ts'
import { digestOf } from '../../../../src/core/digest.ts'
import { ReleaseError } from '../../../../src/core/error.ts'
import { generateAptKey, renderKeyring } from '../../../../src/repository/apt/sign.ts'
import { defaultSettings, descriptionBytes } from '../../../../src/repository/description.ts'
import { descriptionTarget } from '../../../../src/repository/documents.ts'
import {
  assemble,
  ceremonyText,
  isFollowing,
  parsePayload,
  parseSignatures,
  rootPayloadOf,
  signPayload,
  targetsPayloadOf,
} from '../../../../src/repository/tuf/ceremony.ts'
import { withApplications } from '../../../../src/repository/tuf/delegation.ts'
import { nextMetadata, targetsPart } from '../../../../src/repository/tuf/metadata.ts'
import { firstRoot, rootPart, rootRoles } from '../../../../src/repository/tuf/root.ts'
import { keyIdOf } from '../../../../src/repository/tuf/signer.ts'
import { emptyTufState, freeVersions, readTufState } from '../../../../src/repository/tuf/state.ts'
import { summarise } from '../../../../src/repository/tuf/summary.ts'
import { verifyRoot } from '../../../../src/trust/root.ts'
import { memorySigning, memoryTarget, newSigner } from './signing.ts'

const { signing } = memorySigning()
const rootBytes = firstRoot(signing)
const root = verifyRoot(rootBytes, 'test')
const ids = (role: 'root' | 'targets') => rootRoles(root)[role].publicKeys.map(keyIdOf)

const described = (text: string) => ({
  path: 'repository.json',
  sizeBytes: text.length,
  digest: digestOf(text),
})

async function published() {
  const change = { applications: new Map([['notes', []]]), ledger: Buffer.from('{}') }
  const files = await nextMetadata(emptyTufState(root), change, signing, freeVersions(memoryTarget([]).target))
  return readTufState(memoryTarget(files).target, rootBytes.toString())
}

describe('a payload', () => {
  it('of a root must be signed by the keys before and by its own', async () => {
    const state = await published()
    const added = newSigner('root')
    const publicKey = added.key.keyVal['public']!
    const roles = { ...rootRoles(root), root: { publicKeys: [publicKey], threshold: 1 } }
    const payload = parsePayload(ceremonyText(rootPayloadOf(rootPart(2, roles, signing), state)), 'test')
    const [old, own] = [signPayload(payload, signing.signers('root')), signPayload(payload, [added])]
    for (const files of [[], [old], [own]]) {
      expect(() => assemble(payload, files)).toThrow(expect.objectContaining({ code: 'KEY_THRESHOLD' }))
    }
    const signed = assemble(payload, [old, parseSignatures(ceremonyText(own), 'test')])
    expect(verifyRoot(signed, 'test').signed.version).toBe(2)
    expect(await summarise(payload)).toEqual([
      `root 1 → 2, valid until 2027-11-21T10:11:12Z`,
      `root: + key ${keyIdOf(publicKey)}`,
      `root: - key ${ids('root')[0]}`,
    ])
  })

  it('of targets says what they sign for and who may sign for what', async () => {
    const state = await published()
    const publicKey = newSigner().key.keyVal['public']!
    const delegations = withApplications(
      state.targets.delegations,
      new Map([['ping', { publicKeys: [publicKey], threshold: 1 }]]),
    )
    const apt = await generateAptKey('vendor', signing.nowMs)
    const aptKey = await renderKeyring([apt])
    const description = { schema: 1, name: 'vendor', url: 'https://a.example', aptKey, ...defaultSettings } as const
    const { target } = descriptionTarget(description)
    const part = targetsPart({ version: 2, targets: [target], delegations, signing })
    expect(await summarise(targetsPayloadOf(part, descriptionBytes(description), state))).toEqual([
      'targets 1 → 2, valid until 2027-11-21T10:11:12Z',
      `repository.json: ${target.digest}`,
      `repository.json: apt ${canonicalJson(description.apt)}`,
      'repository.json: channels ["edge","beta","stable"]',
      `repository.json: lifetimesDays ${canonicalJson(description.lifetimesDays)}`,
      'repository.json: name "vendor"',
      'repository.json: url "https://a.example"',
      `repository.json: apt is signed by ${apt.fingerprint}`,
      `application-ping: + key ${keyIdOf(publicKey)}`,
      'application-ping: 1 of 1 keys must sign',
      'application-ping: may sign ping/releases.json, ping/channels/*.json',
    ])
  })

  it('that hides a change behind targets which nobody signed is refused', async () => {
    const state = await published()
    const { delegations } = state.targets
    const part = targetsPart({ version: 2, targets: [described('{}')], delegations, signing })
    const payload = targetsPayloadOf(part, Buffer.from('{}'), state)
    expect(parsePayload(ceremonyText(payload), 'test')).toEqual(payload)
    const file = JSON.parse(payload.targets!)
    file.signed.version = 7
    const forged = ceremonyText({ ...payload, targets: JSON.stringify(file) })
    expect(() => parsePayload(forged, 'test')).toThrow(expect.objectContaining({ code: 'TRUST_SIGNATURE' }))
  })

  it('that shows other settings than its targets list is refused', async () => {
    const state = await published()
    const { delegations } = state.targets
    const part = targetsPart({ version: 2, targets: [described('{}')], delegations, signing })
    const forged = ceremonyText(targetsPayloadOf(part, Buffer.from('{"schema":1}'), state))
    expect(() => parsePayload(forged, 'test')).toThrow(expect.objectContaining({ code: 'DOCUMENT_INVALID' }))
  })

  it('follows the state that it was made for, and no other', async () => {
    const [before, after] = [emptyTufState(root), await published()]
    const part = targetsPart({ version: 1, targets: [], delegations: before.targets.delegations, signing })
    const targets = targetsPayloadOf(part, Buffer.from('{}'), before)
    expect([before, after].map(state => isFollowing(targets, state))).toEqual([true, false])
    const next = rootPayloadOf(rootPart(2, rootRoles(root), signing), after)
    const other = { ...after, rootBytes: Buffer.from('another') }
    expect([after, other].map(state => isFollowing(next, state))).toEqual([true, false])
  })

  it('takes no signature that is wrong, or of a key that has nothing to do with it', async () => {
    const payload = rootPayloadOf(rootPart(2, rootRoles(root), signing), await published())
    const good = signPayload(payload, signing.signers('root'))
    const wrong = { ...good, signatures: good.signatures.map(entry => ({ ...entry, sig: '0'.repeat(128) })) }
    expect(() => assemble(payload, [wrong])).toThrow(expect.objectContaining({ code: 'KEY_THRESHOLD' }))
    expect(() => signPayload(payload, [newSigner()])).toThrow(expect.objectContaining({ code: 'KEY_MISMATCH' }))
  })

  it('or signatures are read from any text, or refused with an error of ours', async () => {
    const text = ceremonyText(rootPayloadOf(rootPart(2, rootRoles(root), signing), await published()))
    const json = JSON.parse(text)
    const hostile = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .record({ field: fc.constantFrom(...Object.keys(json)), value: fc.jsonValue() })
        .map(({ field, value }) => JSON.stringify({ ...json, [field]: value })),
    )
    fc.assert(
      fc.property(hostile, input => {
        for (const parse of [parsePayload, parseSignatures]) {
          try {
            parse(input, 'test')
          } catch (caught) {
            expect(caught).toBeInstanceOf(ReleaseError)
          }
        }
      }),
    )
  })
})
