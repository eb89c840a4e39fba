import { generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type EnvelopeSigner,
  openEnvelope,
  preAuthenticationEncoding,
  signStatement,
  statementType,
} from '../../../src/evidence/dsse.ts'
import { codeOf } from '../../support/codes.ts'

function makeSigner(keyId: string): EnvelopeSigner & { readonly publicKey: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return {
    keyId,
    sign: bytes => sign(undefined, bytes, privateKey),
    publicKey: Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('hex'),
  }
}

const ada = makeSigner('ada')
const eve = makeSigner('eve')
const statement = Buffer.from('{"of":"Nöte"}')
const keys = new Map([['ada', ada.publicKey]])
const envelope = signStatement(statement, ada)
const changed = (change: (json: { payloadType: string; payload: string; signatures: object[] }) => unknown) => {
  const json = JSON.parse(envelope.toString())
  return Buffer.from(JSON.stringify(change(json)))
}
const open = (bytes: Buffer) => codeOf(() => openEnvelope(bytes, keys))

it('signs what the specification says', () => {
  // The example of DSSE protocol.md.
  const encoded = preAuthenticationEncoding('http://example.com/HelloWorld', Buffer.from('hello world'))
  expect(encoded.toString()).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world')
  expect(preAuthenticationEncoding('ö', statement).toString()).toBe('DSSEv1 2 ö 14 {"of":"Nöte"}')
})

describe('openEnvelope', () => {
  it('hands out the very bytes that were signed', () => {
    expect(openEnvelope(envelope, keys).equals(statement)).toBe(true)
    expect(envelope.toString().split('\n')).toHaveLength(2)
    expect(signStatement(statement, ada).equals(envelope)).toBe(true)
  })

  it('takes one signature of a known key among others', () => {
    const [theirs] = JSON.parse(signStatement(statement, eve).toString()).signatures
    expect(open(changed(json => ({ ...json, signatures: [theirs, ...json.signatures] })))).toBeUndefined()
  })

  it('does not take another key, whatever it calls itself', () => {
    expect(open(signStatement(statement, eve))).toBe('EVIDENCE_SIGNATURE')
    expect(open(signStatement(statement, { ...eve, keyId: 'ada' }))).toBe('EVIDENCE_SIGNATURE')
    expect(codeOf(() => openEnvelope(envelope, new Map()))).toBe('EVIDENCE_SIGNATURE')
    expect(codeOf(() => openEnvelope(envelope, new Map([['ada', 'no key']])))).toBe('EVIDENCE_SIGNATURE')
  })

  it('does not take a changed payload, none, or a signature of something else', () => {
    const payload = Buffer.from('{"of":"more"}').toString('base64')
    expect(open(changed(json => ({ ...json, payload })))).toBe('EVIDENCE_SIGNATURE')
    expect(open(changed(json => ({ ...json, signatures: [] })))).toBe('EVIDENCE_SIGNATURE')
    const bare = { keyid: 'ada', sig: ada.sign(statement).toString('base64') }
    expect(open(changed(json => ({ ...json, signatures: [bare] })))).toBe('EVIDENCE_SIGNATURE')
  })

  it.each([
    ['another type', { payloadType: 'text/plain' }],
    ['no payload', { payload: 7 }],
    ['a payload that is not base64', { payload: '***' }],
    ['signatures that are no list', { signatures: {} }],
    ['a signature that is none', { signatures: [null] }],
    ['a signature without a key', { signatures: [{ sig: '' }] }],
  ])('refuses %s', (_, change) => {
    expect(open(changed(json => ({ ...json, ...change })))).toBe('EVIDENCE_INVALID')
  })

  it.each(['', 'null', '[]', '7', '{"payloadType":'])('refuses %j', text => {
    expect(open(Buffer.from(text))).toBe('EVIDENCE_INVALID')
  })

  it('opens no envelope with a changed byte, unless that byte says nothing', () => {
    fc.assert(
      fc.property(fc.nat(envelope.byteLength - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
        const bytes = Buffer.from(envelope)
        bytes[at] = bytes[at]! ^ difference
        try {
          expect(openEnvelope(bytes, keys).equals(statement)).toBe(true)
        } catch (caught) {
          expect(caught).toHaveProperty('code', expect.stringMatching(/^EVIDENCE_/))
        }
      }),
    )
  })
})

it('has the type that readers of in-toto look for', () => {
  expect(JSON.parse(envelope.toString()).payloadType).toBe(statementType)
})
