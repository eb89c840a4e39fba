import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  parseJson,
  readJson,
  readLinkIfExists,
  readTextIfExists,
  removeTemporaries,
  removeTree,
  replaceSymlink,
  writeFileAtomic,
} from '../../../src/sys/files.ts'
import { codeOf } from '../../support/codes.ts'
import { tempFolder } from '../../support/temp.ts'

const folder = tempFolder()
let count = 0
const place = () => path.join(folder, `place-${count++}`)

describe('writeFileAtomic', () => {
  it.each([true, false])('replaces a file with mode and without leftovers, durable: %s', durable => {
    const own = place()
    fs.mkdirSync(own)
    const file = path.join(own, 'file')
    fs.writeFileSync(file, 'old')
    writeFileAtomic(file, 'new', { mode: 0o600, durable })
    expect(fs.readFileSync(file, 'utf8')).toBe('new')
    expect(fs.statSync(file).mode & 0o777).toBe(0o600)
    expect(fs.readdirSync(own)).toEqual(['file'])
  })

  it('does not write through a symbolic link: the link is replaced', () => {
    const [target, link] = [place(), place()]
    fs.writeFileSync(target, 'precious')
    fs.symlinkSync(target, link)
    writeFileAtomic(link, 'new')
    expect(fs.readFileSync(target, 'utf8')).toBe('precious')
    expect(fs.lstatSync(link).isFile()).toBe(true)
  })

  it('keeps the errno of what fails, and leaves nothing', () => {
    const own = place()
    fs.mkdirSync(path.join(own, 'taken'), { recursive: true })
    expect(() => writeFileAtomic(path.join(own, 'taken'), 'x')).toThrow(
      expect.objectContaining({ code: 'FILE_IO', details: expect.objectContaining({ errno: 'EISDIR' }) }),
    )
    expect(fs.readdirSync(own)).toEqual(['taken'])
    expect(codeOf(() => writeFileAtomic(path.join(own, 'missing', 'file'), 'x'))).toBe('FILE_IO')
  })
})

describe('what a killed writer left', () => {
  const left = (file: string, pid: number | undefined, machine = crc32(os.hostname()).toString(16)) =>
    path.join(folder, `.${path.basename(file)}.${machine}-${pid}-0a1b2c3d.tmp`)
  const besides = (file: string) => fs.readdirSync(folder).filter(name => name.includes(path.basename(file)))

  it.each([
    ['a file', (file: string) => writeFileAtomic(file, 'new')],
    ['a link', (file: string) => replaceSymlink(file, 'new')],
  ])('is gone when %s is replaced, and nothing else is', (_, replace) => {
    const file = place()
    const others = [
      path.join(folder, `.${path.basename(file)}`),
      left(`${file}2`, spawnSync('true').pid),
      left(file, process.ppid),
      left(file, spawnSync('true').pid, 'elsewhere'),
    ]
    for (const other of others) fs.writeFileSync(other, '')
    for (const pid of [spawnSync('true').pid, process.pid]) fs.writeFileSync(left(file, pid), 'half')
    replace(file)
    expect(besides(file).sort()).toEqual([file, ...others].map(each => path.basename(each)).sort())
  })

  it('stays beside a file that need not survive power loss', () => {
    const file = place()
    fs.writeFileSync(left(file, spawnSync('true').pid), 'half')
    writeFileAtomic(file, 'new', { durable: false })
    expect(besides(file)).toHaveLength(2)
    removeTemporaries(file)
    expect(besides(file)).toEqual([path.basename(file)])
  })
})

describe('reading', () => {
  it('tells missing from unreadable', () => {
    expect(readTextIfExists(place())).toBeUndefined()
    const file = place()
    fs.writeFileSync(file, 'text')
    expect(readTextIfExists(file)).toBe('text')
    expect(readTextIfExists(path.join(file, 'below'))).toBeUndefined()
    expect(codeOf(() => readTextIfExists(folder))).toBe('FILE_IO')
  })

  it('names the place of what is not JSON', () => {
    const file = place()
    fs.writeFileSync(file, '{"a":')
    expect(() => readJson(file)).toThrow(
      expect.objectContaining({ code: 'DOCUMENT_INVALID', message: expect.stringContaining(file) }),
    )
    expect(codeOf(() => readJson(place()))).toBe('DOCUMENT_INVALID')
    expect(parseJson('{"a":[1]}', 'here')).toEqual({ a: [1] })
  })
})

describe('replaceSymlink', () => {
  it('makes a link and points it elsewhere, with nothing left beside it', () => {
    const own = place()
    fs.mkdirSync(own)
    const link = path.join(own, 'current')
    replaceSymlink(link, 'releases/1.1.3')
    replaceSymlink(link, 'releases/1.1.4')
    expect(readLinkIfExists(link)).toBe('releases/1.1.4')
    expect(fs.readdirSync(own)).toEqual(['current'])
  })

  it('does not replace a folder', () => {
    const own = place()
    fs.mkdirSync(path.join(own, 'current'), { recursive: true })
    expect(codeOf(() => replaceSymlink(path.join(own, 'current'), 'x'))).toBe('FILE_IO')
    expect(fs.readdirSync(own)).toEqual(['current'])
  })

  it('reads no link where there is none', () => {
    expect(readLinkIfExists(place())).toBeUndefined()
    expect(readLinkIfExists(folder)).toBeUndefined()
  })
})

describe('removeTree', () => {
  it('removes what is read-only, and does not follow links out', () => {
    const [tree, outside] = [place(), place()]
    fs.mkdirSync(path.join(tree, 'a/b'), { recursive: true })
    fs.mkdirSync(outside)
    fs.writeFileSync(path.join(outside, 'precious'), '')
    fs.writeFileSync(path.join(tree, 'a/b/file'), '')
    fs.symlinkSync(outside, path.join(tree, 'a/link'))
    fs.chmodSync(path.join(tree, 'a/b'), 0o500)
    fs.chmodSync(path.join(tree, 'a'), 0o500)
    removeTree(tree)
    expect(fs.existsSync(tree)).toBe(false)
    expect(fs.readdirSync(outside)).toEqual(['precious'])
  })

  it('has nothing to do where there is nothing', () => {
    expect(() => removeTree(place())).not.toThrow()
  })
})
