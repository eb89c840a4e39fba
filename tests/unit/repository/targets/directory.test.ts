import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import type { TargetWriter } from '../../../../src/repository/target.ts'
import { openDirectory } from '../../../../src/repository/targets/directory.ts'
import { contentOf } from '../../../support/target-contract.ts'
import { tempFolder } from '../../../support/temp.ts'

/** How file systems say that they have no hard links. */
const link = () => {
  throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM', errno: -1, syscall: 'link' })
}

describe('a directory target', () => {
  let root: string
  let target: TargetWriter

  beforeEach(() => {
    root = tempFolder()
    target = openDirectory(root)
  })

  const filesIn = (folder: string) =>
    fs
      .readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => path.relative(folder, path.join(entry.parentPath, entry.name)))
  const text = (key: string) => fs.readFileSync(path.join(root, key), 'utf8')

  it('stores objects that a web server can read, whatever the umask', async () => {
    const before = process.umask(0o077)
    try {
      await target.putNew('a/b/c', contentOf('x'))
      await target.replace('a/b/d', contentOf('y'), undefined)
      await target.sync()
    } finally {
      process.umask(before)
    }
    const mode = (key: string) => (fs.statSync(path.join(root, key)).mode & 0o777).toString(8)
    expect(['a/b/c', 'a/b/d', 'a/b', 'a'].map(mode)).toEqual(['644', '644', '755', '755'])
  })

  it('shows nothing before all of it is durable, and leaves nothing aside then', async () => {
    await target.putNew('a', contentOf('x'))
    await target.replace('b', contentOf('y'), undefined)
    await target.replace('b', contentOf('z'), digestOf('y'))
    expect(filesIn(root).filter(file => !file.startsWith('.cutover/'))).toEqual([])
    await target.sync()
    expect(filesIn(root)).toEqual(['a', 'b'])
    expect([text('a'), text('b')]).toEqual(['x', 'z'])
  })

  it('shares the bytes of twins, also of one that takes the place of another object', async () => {
    await target.putNew('a', contentOf('x'))
    await target.replace('c', contentOf('before'), undefined)
    await target.sync()
    expect(await target.putNew('b', contentOf('x', { sameAs: 'a' }))).toBe('linked')
    expect(await target.replace('c', contentOf('x', { sameAs: 'b' }), digestOf('before'))).toBe('linked')
    await target.sync()
    const inodes = new Set(['a', 'b', 'c'].map(key => fs.statSync(path.join(root, key)).ino))
    expect(inodes.size).toBe(1)
    expect(filesIn(root)).toEqual(['a', 'b', 'c'])
  })

  it('does not change a twin when one of them is replaced', async () => {
    await target.putNew('a', contentOf('x'))
    await target.replace('b', contentOf('x', { sameAs: 'a' }), undefined)
    await target.sync()
    await target.replace('b', contentOf('y'), digestOf('x'))
    await target.sync()
    expect([text('a'), text('b')]).toEqual(['x', 'y'])
  })

  it('keeps the object of whoever was faster, and tells the other', async () => {
    const other = openDirectory(root)
    await target.putNew('a', contentOf('x'))
    await other.putNew('a', contentOf('y'))
    await target.sync()
    await expect(other.sync()).rejects.toMatchObject({ code: 'REPOSITORY_CONFLICT' })
    expect(text('a')).toBe('x')
  })

  it('keeps it without hard links, too', async () => {
    const [one, other] = [openDirectory(root, { link }), openDirectory(root, { link })]
    await one.putNew('a', contentOf('x'))
    await other.putNew('a', contentOf('y'))
    await one.sync()
    await expect(other.sync()).rejects.toMatchObject({ code: 'REPOSITORY_CONFLICT' })
    expect(text('a')).toBe('x')
  })

  it('leaves nothing when reading breaks off', async () => {
    const open = async function* () {
      yield Buffer.from('x')
      throw Object.assign(new Error('read failed'), { code: 'EIO', errno: -5, syscall: 'read' })
    }
    await expect(target.putNew('a', contentOf('x', { open }))).rejects.toMatchObject({
      code: 'FILE_IO',
      details: { errno: 'EIO' },
    })
    expect(filesIn(root)).toEqual([])
  })

  it('removes the folders that it leaves empty, and no others', async () => {
    await target.putNew('a/b/c/d', contentOf('x'))
    await target.putNew('a/e', contentOf('y'))
    await target.sync()
    await target.remove('a/b/c/d')
    expect(fs.readdirSync(path.join(root, 'a'))).toEqual(['e'])
    await target.remove('a/e')
    await target.sync()
    expect(fs.readdirSync(root)).toEqual(['.cutover'])
  })

  it('lets what others keep in a folder be, such as a removed file that somebody reads over NFS', async () => {
    await target.putNew('a/b', contentOf('x'))
    await target.sync()
    fs.writeFileSync(path.join(root, 'a/.nfs0000000000000001'), '')
    await target.remove('a/b')
    expect(fs.readdirSync(path.join(root, 'a'))).toEqual(['.nfs0000000000000001'])
  })

  it('removes what publishers of another day left half done', async () => {
    const incoming = path.join(root, '.cutover/incoming')
    fs.mkdirSync(incoming, { recursive: true })
    for (const name of ['old.tmp', 'new.tmp']) fs.writeFileSync(path.join(incoming, name), 'x')
    fs.utimesSync(path.join(incoming, 'old.tmp'), 1, 1)
    await (await target.lease('a test', { waitMs: 0 })).release()
    expect(fs.readdirSync(incoming)).toEqual(['new.tmp'])
  })

  it('does not believe in a lease whose file was removed', async () => {
    const lease = await target.lease('a test', { waitMs: 0 })
    lease.assertHeld()
    fs.rmSync(path.join(root, '.cutover/lock'))
    expect(lease.assertHeld).toThrow(expect.objectContaining({ code: 'REPOSITORY_CHANGED' }))
    await lease.release()
  })
})
