import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import { openDirectory } from '../../src/repository/targets/directory.ts'
import { leaseContract } from '../support/lease-contract.ts'
import { contentOf, targetContract } from '../support/target-contract.ts'
import { tempFolder } from '../support/temp.ts'

/** How file systems say that they have no hard links. */
const link = () => {
  throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM', errno: -1, syscall: 'link' })
}

targetContract('a folder', async () => {
  const root = tempFolder()
  return { open: () => openDirectory(root), largeBytes: 3_000_000 }
})

targetContract('a folder without hard links', async () => {
  const root = tempFolder()
  return { open: () => openDirectory(root, { link }), largeBytes: 3_000_000 }
})

const startFolder = async () => {
  const place = tempFolder()
  return { place, environment: {}, open: () => openDirectory(place) }
}
leaseContract('a folder', startFolder, { isKernels: true })

/** Mount a small file system of its own until the test ends. */
function mountSmall(folder: string): void {
  fs.mkdirSync(folder, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0755', 'tmpfs', folder])
  onTestFinished(() => void execFileSync('umount', [folder]))
}

describe.skipIf(process.getuid?.() !== 0)('a folder with another file system in it', () => {
  it('takes objects there whole, too', async () => {
    const root = tempFolder()
    mountSmall(path.join(root, 'pool'))
    const [one, other] = [openDirectory(root), openDirectory(root)]
    expect(await one.putNew('pool/a', contentOf('x'))).toBe('written')
    expect(await one.putNew('b', contentOf('x', { sameAs: 'pool/a' }))).toBe('linked')
    await other.putNew('pool/a', contentOf('y'))
    await one.sync()
    await expect(other.sync()).rejects.toMatchObject({ code: 'REPOSITORY_CONFLICT' })
    expect(await one.replace('pool/a', contentOf('z'), digestOf('x'))).toBe('written')
    expect(await one.putNew('pool/c', contentOf('x', { sameAs: 'b' }))).toBe('linked')
    await one.sync()
    const text = (key: string) => fs.readFileSync(path.join(root, key), 'utf8')
    expect(['pool/a', 'b', 'pool/c'].map(text)).toEqual(['z', 'x', 'x'])
    expect(fs.readdirSync(path.join(root, 'pool'))).toEqual(['a', 'c'])
    expect(fs.statSync(path.join(root, 'pool/a')).mode & 0o777).toBe(0o644)
  })
})

describe.skipIf(process.getuid?.() !== 0)('a full disk', () => {
  it('leaves what was there, and what comes after there is room again', async () => {
    const root = path.join(tempFolder(), 'disk')
    mountSmall(root)
    const target = openDirectory(root)
    await target.replace('pointer', contentOf('x'), undefined)
    await target.sync()
    const large = contentOf(Buffer.alloc(2_000_000, 'l'))
    await expect(target.putNew('large', large)).rejects.toMatchObject({ code: 'FILE_NO_SPACE' })
    await expect(target.replace('pointer', large, digestOf('x'))).rejects.toMatchObject({ code: 'FILE_NO_SPACE' })
    await target.sync()
    expect(await target.head('large')).toBeUndefined()
    expect(await target.get('pointer', 10)).toEqual(Buffer.from('x'))
    expect(fs.readdirSync(path.join(root, '.cutover/incoming'))).toEqual([])
    expect(await target.replace('pointer', contentOf('y'), digestOf('x'))).toBe('written')
    await target.sync()
    expect(await openDirectory(root).get('pointer', 10)).toEqual(Buffer.from('y'))
  })
})
