import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import type { Content, TargetWriter } from '../../../../src/repository/target.ts'
import { openDirectory } from '../../../../src/repository/targets/directory.ts'
import { tempFolder } from '../../../support/temp.ts'

let root: string
let target: TargetWriter

beforeEach(() => {
  root = tempFolder()
  target = openDirectory(root)
})

const content = (text: string, changes: Partial<Content> = {}): Content => ({
  digest: digestOf(text),
  sizeBytes: text.length,
  mediaType: 'text/plain',
  open: async function* () {
    yield Buffer.from(text)
  },
  ...changes,
})
const filesIn = (folder: string) =>
  fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())

describe('a directory target', () => {
  it('stores new objects that a web server can read, whatever the umask', async () => {
    const before = process.umask(0o077)
    try {
      expect(await target.putNew('a/b/c', content('x'))).toBe('written')
    } finally {
      process.umask(before)
    }
    const mode = (key: string) => (fs.statSync(path.join(root, key)).mode & 0o777).toString(8)
    expect([mode('a/b/c'), mode('a/b')]).toEqual(['644', '755'])
    expect(await target.head('a/b/c')).toEqual({ sizeBytes: 1, digest: digestOf('x') })
  })

  it('finds the same bytes in place', async () => {
    await target.putNew('a', content('x'))
    expect(await target.putNew('a', content('x'))).toBe('unchanged')
    expect(await target.replace('a', content('x'), digestOf('whatever it follows'))).toBe('unchanged')
  })

  it('never puts other bytes in the place of an object', async () => {
    await target.putNew('a', content('x'))
    await expect(target.putNew('a', content('y'))).rejects.toMatchObject({ code: 'REPOSITORY_CONFLICT' })
    await expect(target.putNew('a', content('y', { sameAs: 'b' }))).rejects.toMatchObject({
      code: 'REPOSITORY_CONFLICT',
    })
    expect(fs.readFileSync(path.join(root, 'a'), 'utf8')).toBe('x')
  })

  it('links objects with the same bytes', async () => {
    await target.putNew('a', content('x'))
    expect(await target.putNew('b/c', content('x', { sameAs: 'a' }))).toBe('linked')
    expect(fs.statSync(path.join(root, 'a')).ino).toBe(fs.statSync(path.join(root, 'b/c')).ino)
  })

  it('does not believe that another key has the same bytes', async () => {
    await target.putNew('a', content('y'))
    expect(await target.putNew('b', content('x', { sameAs: 'a' }))).toBe('written')
    expect(fs.readFileSync(path.join(root, 'b'), 'utf8')).toBe('x')
  })

  it('writes the bytes where there is nothing to link to', async () => {
    expect(await target.putNew('b', content('x', { sameAs: 'gone' }))).toBe('written')
  })

  it('replaces only what it expects', async () => {
    expect(await target.replace('a', content('x'), undefined)).toBe('written')
    await expect(target.replace('a', content('y'), undefined)).rejects.toMatchObject({ code: 'REPOSITORY_CHANGED' })
    await expect(target.replace('a', content('y'), digestOf('z'))).rejects.toMatchObject({ code: 'REPOSITORY_CHANGED' })
    await expect(target.replace('b', content('y'), digestOf('z'))).rejects.toMatchObject({ code: 'REPOSITORY_CHANGED' })
    expect(await target.replace('a', content('y'), digestOf('x'))).toBe('written')
    expect(fs.readFileSync(path.join(root, 'a'), 'utf8')).toBe('y')
  })

  it('leaves nothing when the bytes are not what they should be', async () => {
    const wrong = content('x', { digest: digestOf('y') })
    await expect(target.putNew('a', wrong)).rejects.toMatchObject({ code: 'RELEASE_DAMAGED' })
    await expect(target.replace('a', wrong, undefined)).rejects.toMatchObject({ code: 'RELEASE_DAMAGED' })
    expect(filesIn(root)).toEqual([])
  })

  it('leaves nothing when reading breaks off', async () => {
    const broken = content('x', {
      open: async function* () {
        yield Buffer.from('x')
        throw Object.assign(new Error('read failed'), { code: 'EIO', errno: -5, syscall: 'read' })
      },
    })
    await expect(target.putNew('a', broken)).rejects.toMatchObject({ code: 'FILE_IO', details: { errno: 'EIO' } })
    expect(filesIn(root)).toEqual([])
  })

  it.each(['../a', '/a', 'a/../../b', 'a//b', ''])('refuses the key %j', async key => {
    await expect(target.putNew(key, content('x'))).rejects.toMatchObject({ code: 'PATH_UNSAFE' })
    await expect(target.get(key, 1)).rejects.toMatchObject({ code: 'PATH_UNSAFE' })
  })

  it('reads within bounds', async () => {
    await target.putNew('a', content('xyz'))
    expect(await target.get('a', 3)).toEqual(Buffer.from('xyz'))
    expect(await target.get('b', 3)).toBeUndefined()
    await expect(target.get('a', 2)).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' })
  })

  it('lists a folder without what is hidden or half-made', async () => {
    await target.putNew('m/b', content('x'))
    await target.putNew('m/a', content('x'))
    await target.putNew('m/c/d', content('x'))
    fs.writeFileSync(path.join(root, 'm/.a.1234.tmp'), '')
    expect(await target.list('m')).toEqual(['m/a', 'm/b'])
    expect(await target.list('n')).toEqual([])
  })

  it('keeps a second publisher out', async () => {
    using _held = await target.lock('the first')
    await expect(openDirectory(root).lock('the second')).rejects.toMatchObject({ code: 'LOCKED', exitCode: 5 })
  })
})
