import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stableJson } from '../../../../src/core/canonical-json.ts'
import { ReleaseError } from '../../../../src/core/error.ts'
import { decryptKey, encryptKey } from '../../../../src/repository/keys/encryption.ts'
import { withoutKeys } from '../../../../src/repository/keys/environment.ts'
import { generateTufKey, openKeys } from '../../../../src/repository/keys/folder.ts'
import { type EncryptedKeyFile, parseKeyFile } from '../../../../src/repository/keys/key-file.ts'
import { passphraseFrom } from '../../../../src/repository/keys/passphrase.ts'
import { tempFolder } from '../../../support/temp.ts'

/** Far too little for a real key, and quick. */
const cheap = { cost: 2, blockSize: 1, parallelization: 1 }
const secret = 'MC4CAQAwBQYDK2VwBCIEIsecret'

describe('parseKeyFile', () => {
  it.each([
    `{"privateKey":"${secret}"`,
    `{"schema":1,"kind":"tuf","role":"x","publicKey":"zz","privateKey":"${secret}"}`,
    `{"schema":2,"kind":"tuf","role":"x","publicKey":"${'a'.repeat(64)}","privateKey":"${secret}"}`,
    `"${secret}"`,
    'null',
  ])('refuses %s without repeating any of it', text => {
    try {
      parseKeyFile(text, 'file')
      expect.unreachable()
    } catch (caught) {
      expect(caught).toMatchObject({ code: 'KEY_INVALID' })
      expect(JSON.stringify(caught) + String((caught as Error).cause)).not.toContain(secret)
    }
  })

  it('tells a newer format', () => {
    expect(() => parseKeyFile('{"schema":3}', 'file')).toThrow(expect.objectContaining({ code: 'DOCUMENT_NEWER' }))
  })

  it('answers any JSON with a key or an error of ours', () => {
    fc.assert(
      fc.property(fc.json(), text => {
        try {
          parseKeyFile(text, 'file')
        } catch (caught) {
          expect(caught).toBeInstanceOf(ReleaseError)
        }
      }),
    )
  })
})

describe('an encrypted key', () => {
  const key = generateTufKey('root')
  const stored = () => parseKeyFile(stableJson(encryptKey(key, 'open, sesame', cheap)), 'file') as EncryptedKeyFile

  it('opens with its passphrase and no other', () => {
    expect(decryptKey(stored(), 'open, sesame', 'file')).toEqual(key)
    expect(() => decryptKey(stored(), 'open sesame', 'file')).toThrow(
      expect.objectContaining({ code: 'KEY_PASSPHRASE' }),
    )
  })

  it('takes a passphrase for the same however it is composed', () => {
    expect(decryptKey(encryptKey(key, 'Schl\u00fcssel', cheap), 'Schlu\u0308ssel', 'file')).toEqual(key)
  })

  it('does not say the private key', () => {
    expect(stableJson(stored())).not.toContain('PRIVATE KEY')
    expect(stored()).toMatchObject({ publicKey: key.publicKey, role: 'root' })
  })

  it.each<[string, Partial<EncryptedKeyFile> & Record<string, unknown>]>([
    ['role', { role: 'targets' }],
    ['public key', { publicKey: generateTufKey('root').publicKey }],
    ['private key', { privateKey: Buffer.from('other').toString('base64') }],
  ])('does not open with another %s beside it', (_what, change) => {
    const changed = { ...stored(), ...change } as EncryptedKeyFile
    expect(() => decryptKey(changed, 'open, sesame', 'file')).toThrow(
      expect.objectContaining({ code: 'KEY_PASSPHRASE' }),
    )
  })

  it.each([
    { cost: 3 },
    { cost: 2 ** 30 },
    { blockSize: 1000 },
    { cost: 2 ** 20, blockSize: 64 },
    { parallelization: 0 },
    { salt: 'short' },
    { nonce: 7 },
    { kdf: 'md5' },
    { cipher: 'none' },
  ])('is refused with %j, which nobody needs or nobody can compute', change => {
    const file = stored()
    const text = stableJson({ ...file, encryption: { ...file.encryption, ...change } })
    expect(() => parseKeyFile(text, 'file')).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
  })

  it('is made and read by a keys folder that was given a passphrase, which only signing asks for', () => {
    const base = tempFolder()
    const file = path.join(base, 'passphrase')
    fs.writeFileSync(file, 'a long one\n', { mode: 0o600 })
    const environment = { CUTOVER_PASSPHRASE_FILE: file }
    const folder = path.join(base, 'keys')
    openKeys(folder, { repository: undefined, create: true, environment, encryption: cheap }).ensureTuf('root')
    const open = (given: Record<string, string>) =>
      openKeys(folder, { repository: undefined, create: false, environment: given }).tuf('root')[0]!
    expect(open({}).encrypted).toBe(true)
    expect(() => open({}).open()).toThrow(expect.objectContaining({ code: 'KEY_PASSPHRASE' }))
    expect(open(environment).open().privateKey).toContain('PRIVATE KEY')
    const later = openKeys(folder, { repository: undefined, create: false, environment })
    expect(later.addTuf('targets').encrypted).toBe(true)
  })
})

describe('a passphrase', () => {
  const write = (text: string, mode = 0o600) => {
    const file = path.join(tempFolder(), 'passphrase')
    fs.writeFileSync(file, text)
    fs.chmodSync(file, mode)
    return file
  }

  const from = (file: string | undefined) => passphraseFrom({ CUTOVER_PASSPHRASE_FILE: file })

  it('ends before its line break', () => {
    expect(from(write(' two words \n'))()).toBe(' two words ')
  })

  it('is read from a descriptor, once', () => {
    const descriptor = fs.openSync(write('from there'), 'r')
    const passphrase = from(`/dev/fd/${descriptor}`)
    expect(passphrase()).toBe('from there')
    fs.closeSync(descriptor)
    expect(passphrase()).toBe('from there')
  })

  it.each([
    ['is empty', () => write('\n'), 'KEY_PASSPHRASE'],
    ['was not given', () => undefined, 'KEY_PASSPHRASE'],
    ['others can read', () => write('open', 0o644), 'KEY_PERMISSIONS'],
    ['is not there', () => '/does/not/exist', 'FILE_IO'],
  ])('that %s is none', (_what, file, code) => {
    expect(from(file())).toThrow(expect.objectContaining({ code }))
  })
})

it('keys do not reach the processes that are started', () => {
  expect(withoutKeys({ CUTOVER_KEY_ROOT: 'x', CUTOVER_KEYS: '/keys', PATH: '/bin' })).toEqual({
    CUTOVER_KEYS: '/keys',
    PATH: '/bin',
  })
})
