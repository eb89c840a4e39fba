import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { stableJson } from '../../../../src/core/canonical-json.ts'
import { generateTufKey, type KeyFolderOptions, openKeys } from '../../../../src/repository/keys/folder.ts'
import { signingWith } from '../../../../src/repository/keys/signing.ts'
import { keyIdOf } from '../../../../src/repository/tuf/signer.ts'
import { tempFolder } from '../../../support/temp.ts'

let base: string
let folder: string

beforeEach(() => {
  base = tempFolder()
  folder = path.join(base, 'keys')
})

const create = (options: Partial<KeyFolderOptions> = {}) =>
  openKeys(folder, { repository: path.join(base, 'repository'), create: true, ...options })
const modeOf = (file: string) => (fs.statSync(file).mode & 0o777).toString(8)
const publicKeys = (keys: readonly { readonly publicKey: string }[]) => keys.map(({ publicKey }) => publicKey)

describe('a keys folder', () => {
  it('makes the first key once, for its owner alone, whatever the umask', () => {
    const before = process.umask(0)
    try {
      const made = create().ensureTuf('targets')
      expect(made).toHaveLength(1)
      expect(publicKeys(create().ensureTuf('targets'))).toEqual(publicKeys(made))
      expect(made[0]!.open().privateKey).toContain('PRIVATE KEY')
      expect([modeOf(folder), modeOf(path.join(folder, 'targets.json'))]).toEqual(['700', '600'])
    } finally {
      process.umask(before)
    }
  })

  it('keeps several keys of a role apart from those of a role with a longer name', () => {
    const keys = create()
    const made = [keys.addTuf('application-a'), keys.addTuf('application-a'), keys.addTuf('application-a.b')]
    expect(new Set(publicKeys(keys.tuf('application-a')))).toEqual(new Set(publicKeys(made.slice(0, 2))))
    expect(publicKeys(keys.tuf('application-a.b'))).toEqual(publicKeys(made.slice(2)))
    expect(keys.names()).toEqual(['application-a', 'application-a.b'])
  })

  it('keeps OpenPGP keys, all of which sign', async () => {
    const keys = create()
    const [first] = await keys.ensureApt('vendor', Date.now())
    const second = await keys.addApt('vendor', Date.now())
    expect(first!.publicKey).toContain('BEGIN PGP PUBLIC KEY BLOCK')
    expect(create().apt()).toEqual([first, second])
  })

  it('puts a key aside that is not to sign any more', async () => {
    const keys = create()
    const [key] = keys.ensureTuf('snapshot')
    await keys.ensureApt('vendor', Date.now())
    expect(keys.retire(key!.keyId)).toBe(true)
    expect(keys.tuf('snapshot')).toEqual([])
    expect(keys.retire(key!.keyId)).toBe(false)
    expect(keys.retire(keys.apt()[0]!.fingerprint)).toBe(true)
    expect(fs.readdirSync(path.join(folder, 'revoked'))).toHaveLength(2)
    expect(keys.names()).toEqual([])
  })

  it.each([0o640, 0o604, 0o620])('refuses a key with mode %o', mode => {
    const keys = create()
    keys.ensureTuf('targets')
    fs.chmodSync(path.join(folder, 'targets.json'), mode)
    expect(() => keys.tuf('targets')).toThrow(expect.objectContaining({ code: 'KEY_PERMISSIONS', exitCode: 3 }))
  })

  it('refuses a folder that others may list', () => {
    create()
    fs.chmodSync(folder, 0o750)
    expect(create).toThrow(expect.objectContaining({ code: 'KEY_PERMISSIONS' }))
  })

  it('has no key of a role that is kept elsewhere', () => {
    const keys = create()
    expect(keys.tuf('root')).toEqual([])
    expect(keys.has('root')).toBe(false)
    expect(() => keys.apt()).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }))
  })

  it('is not made unless asked for', () => {
    const open = () => openKeys(folder, { repository: undefined, create: false })
    expect(open).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }))
    expect(fs.existsSync(folder)).toBe(false)
  })

  it.each(['repository', 'repository/keys', 'link/keys'])('is not made at %s, where it would be published', place => {
    fs.mkdirSync(path.join(base, 'repository'))
    fs.symlinkSync('repository', path.join(base, 'link'))
    const open = () => openKeys(path.join(base, place), { repository: path.join(base, 'repository'), create: true })
    expect(open).toThrow(expect.objectContaining({ code: 'KEY_PLACE', exitCode: 2 }))
  })

  it('does not take one kind of key for another', async () => {
    const keys = create()
    await keys.ensureApt('vendor', Date.now())
    fs.renameSync(path.join(folder, 'apt.json'), path.join(folder, 'targets.json'))
    expect(() => keys.tuf('targets')).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
    keys.ensureTuf('root')
    fs.renameSync(path.join(folder, 'root.json'), path.join(folder, 'apt.json'))
    expect(() => keys.apt()).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
  })

  it('remembers the newest timestamp of each place, and never an older one', () => {
    const keys = create()
    expect(keys.seenTimestamp('/srv/a')).toBe(0)
    keys.rememberTimestamp('/srv/a', 7)
    keys.rememberTimestamp('/srv/a', 3)
    keys.rememberTimestamp('/srv/b', 2)
    expect([create().seenTimestamp('/srv/a'), create().seenTimestamp('/srv/b')]).toEqual([7, 2])
    fs.writeFileSync(path.join(folder, 'seen.json'), '{')
    expect(() => keys.seenTimestamp('/srv/a')).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
  })
})

describe('keys of the environment', () => {
  const key = generateTufKey('snapshot')
  const environment = { CUTOVER_KEY_1: stableJson(key), CUTOVER_TRUSTED_ROOT: '{}', CUTOVER_SEEN_TIMESTAMP: '12' }

  it('need no folder, and are never written', () => {
    const keys = openKeys(folder, { repository: undefined, create: false, environment })
    expect(publicKeys(keys.tuf('snapshot'))).toEqual([key.publicKey])
    expect(keys.tuf('snapshot')[0]!.place).toBe('$CUTOVER_KEY_1')
    expect(keys.trustedRoot()).toBe('{}')
    keys.writeTrustedRoot(Buffer.from('{"a":1}'))
    keys.rememberTimestamp('there', 20)
    expect([keys.seenTimestamp('there'), fs.existsSync(folder)]).toEqual([12, false])
  })

  it('stand beside those of a folder, each once', () => {
    const keys = create({ environment })
    keys.addTuf('snapshot')
    fs.writeFileSync(path.join(folder, 'snapshot@copy.json'), stableJson(key), { mode: 0o600 })
    expect(keys.tuf('snapshot')).toHaveLength(2)
    const { signers } = signingWith(keys, { nowMs: 0 })
    expect(signers('snapshot').map(signer => signer.key.keyID)).toContain(keyIdOf(key.publicKey))
  })

  it('are named by their variable when they cannot be read', () => {
    const open = () =>
      openKeys(folder, { repository: undefined, create: false, environment: { CUTOVER_KEY_X: 'secret' } })
    expect(open).toThrow(expect.objectContaining({ code: 'KEY_INVALID', details: { path: '$CUTOVER_KEY_X' } }))
    expect(open).not.toThrow('secret')
  })
})
