import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { createCleartextMessage, createMessage, enums, readPrivateKey, sign } from 'openpgp'
import { describe, expect, it } from 'vitest'
import { generateAptKey } from '../../../../src/repository/apt/keyring.ts'
import { type SignedRelease, signRelease } from '../../../../src/repository/apt/sign.ts'
import { readSigningKey } from '../../../../src/repository/apt/signing-key.ts'
import type { AptKeyFile } from '../../../../src/repository/keys/key-file.ts'
import { codeOf } from '../../../support/codes.ts'

const nowMs = Date.UTC(2026, 0, 1, 12, 30, 15, 999)
const [one, other] = await Promise.all(['one', 'other'].map(name => generateAptKey(name, nowMs)))

/** As the library does it. */
async function signedByLibrary(text: string, keys: readonly AptKeyFile[], timeMs: number): Promise<SignedRelease> {
  const signingKeys = await Promise.all(keys.map(key => readPrivateKey({ armoredKey: key.privateKey })))
  const date = new Date(timeMs)
  const config = { preferredHashAlgorithm: enums.hash.sha512, nonDeterministicSignaturesViaNotation: false }
  const inRelease = await sign({ message: await createCleartextMessage({ text }), signingKeys, date, config })
  const message = await createMessage({ binary: Buffer.from(text) })
  const detached = await sign({ message, signingKeys, date, config, detached: true, format: 'armored' })
  return { inRelease, detached }
}

/** An armoured key with a secret that begins with zeros, as one of 65536 does. */
function keyWithZeros(): { readonly key: AptKeyFile; readonly seed: Buffer } {
  const seed = Buffer.concat([Buffer.alloc(2), Buffer.alloc(30, 0x35)])
  const number = Buffer.concat([Buffer.from([0, 30 * 8 - 2]), seed.subarray(2)])
  const sum = Buffer.alloc(2)
  sum.writeUInt16BE(number.reduce((total, byte) => total + byte, 0) & 0xffff)
  const start = Buffer.from('0469565180' + '16092b06010401da470f01010740', 'hex')
  const packet = Buffer.concat([start, Buffer.alloc(32, 7), Buffer.alloc(1), number, sum])
  const body = Buffer.concat([Buffer.from([0xc5, packet.byteLength]), packet]).toString('base64')
  const privateKey = `-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n${body}\n-----END PGP PRIVATE KEY BLOCK-----\n`
  return { seed, key: { ...one!, privateKey } }
}

describe('signRelease', () => {
  it('makes the bytes that the library openpgp makes', async () => {
    for (let at = 0; at < 40; at += 1) {
      const text = `Origin: ${at}\nDescription: \u00e4 \u{1f4e6}\n\n- dash\nSHA256:\n ${'0'.repeat(64)} 1 main\n`
      const keys = at % 2 === 0 ? [one!] : [one!, other!]
      expect(signRelease(text, keys, nowMs + at)).toEqual(await signedByLibrary(text, keys, nowMs + at))
    }
  })

  it('dates a signature no earlier than its key', async () => {
    const text = 'Suite: stable\n'
    const madeMs = Math.floor(nowMs / 1000) * 1000 - 60_000
    expect(signRelease(text, [one!], 0)).toEqual(await signedByLibrary(text, [one!], madeMs))
  })
})

describe('readSigningKey', () => {
  it('finds the fingerprint and the pair', () => {
    const { key, fingerprint } = readSigningKey(one!)
    expect(fingerprint.toString('hex')).toBe(one!.fingerprint)
    expect(createPublicKey(key).asymmetricKeyType).toBe('ed25519')
  })

  it('puts back the zeros that a number loses in front', () => {
    const { key, seed } = keyWithZeros()
    expect(readSigningKey(key).key.export({ format: 'jwk' })).toMatchObject({ d: seed.toString('base64url') })
  })

  it.each([
    ['nothing', ''],
    ['no packets', 'xx\n\n!!!!\n'],
    ['another form', generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()],
    ['a changed secret', damaged(one!.privateKey, 60)],
    ['another version', damaged(one!.privateKey, 2)],
    ['another curve', damaged(one!.privateKey, 10)],
    ['an encrypted secret', damaged(one!.privateKey, 53)],
    ['half a key', one!.privateKey.slice(0, 120)],
  ])('refuses %s', (_, privateKey) => {
    expect(codeOf(() => readSigningKey({ ...one!, privateKey }))).toBe('KEY_INVALID')
  })
})

function damaged(armoured: string, at: number): string {
  const [begin, end] = [armoured.indexOf('\n\n') + 2, armoured.indexOf('\n=')]
  const bytes = Buffer.from(armoured.slice(begin, end), 'base64')
  bytes[at]! ^= 1
  return `${armoured.slice(0, begin)}${bytes.toString('base64')}${armoured.slice(end)}`
}
