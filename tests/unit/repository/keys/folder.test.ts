import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { openKeys } from '../../../../src/repository/keys/folder.ts'
import { parseKeyFile } from '../../../../src/repository/keys/key-file.ts'
import { tempFolder } from '../../../support/temp.ts'

let base: string
let folder: string

beforeEach(() => {
  base = tempFolder()
  folder = path.join(base, 'keys')
})

const create = () => openKeys(folder, { repository: path.join(base, 'repository'), create: true })
const modeOf = (file: string) => (fs.statSync(file).mode & 0o777).toString(8)

describe('a keys folder', () => {
  it('makes each key once, for its owner alone, whatever the umask', () => {
    const before = process.umask(0)
    try {
      const keys = create()
      const key = keys.ensureTuf('targets')
      expect(create().ensureTuf('targets')).toEqual(key)
      expect(keys.tuf('targets')).toEqual(key)
      expect([modeOf(folder), modeOf(path.join(folder, 'targets.json'))]).toEqual(['700', '600'])
    } finally {
      process.umask(before)
    }
  })

  it('keeps an OpenPGP key', async () => {
    const key = await create().ensureApt('vendor', Date.now())
    expect(key.publicKey).toContain('BEGIN PGP PUBLIC KEY BLOCK')
    expect(create().apt()).toEqual(key)
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

  it('says which key is missing', () => {
    const keys = create()
    expect(() => keys.tuf('targets')).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }))
    expect(keys.has('targets')).toBe(false)
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
  })
})

describe('parseKeyFile', () => {
  const secret = 'MC4CAQAwBQYDK2VwBCIEIsecret'

  it.each([
    `{"privateKey":"${secret}"`,
    `{"schema":1,"kind":"tuf","role":"x","publicKey":"zz","privateKey":"${secret}"}`,
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
    expect(() => parseKeyFile('{"schema":2}', 'file')).toThrow(expect.objectContaining({ code: 'DOCUMENT_NEWER' }))
  })
})
