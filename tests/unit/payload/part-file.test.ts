import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../src/core/digest.ts'
import { hasPart, PartFile, removePart, removeParts } from '../../../src/payload/part-file.ts'
import { codeOf } from '../../support/codes.ts'
import { tempFolder } from '../../support/temp.ts'

const digest = digestOf('hello')

describe('PartFile', () => {
  it('is gone on with by the next who opens it', () => {
    const folder = path.join(tempFolder(), 'cache')
    expect(hasPart(folder, digest)).toBe(false)
    const first = PartFile.open(folder, digest)
    first.write(0, Buffer.from('he'))
    first.close()
    expect(hasPart(folder, digest)).toBe(true)
    const second = PartFile.open(folder, digest)
    expect(second.sizeBytes).toBe(2)
    second.write(2, Buffer.from('llo'))
    expect([second.digest(), second.sizeBytes]).toEqual([digest, 5])
    expect([second.read(1, 4)?.toString(), second.read(1, 5)]).toEqual(['ello', undefined])
    second.write(0, Buffer.from('j'))
    expect([second.digest(), second.sizeBytes]).toEqual([digestOf('jello'), 5])
    second.clear()
    expect([second.digest(), second.sizeBytes]).toEqual([digestOf(''), 0])
    second.close()
    removePart(folder, digest)
    expect(hasPart(folder, digest)).toBe(false)
  })

  it('goes through no link, and is readable by nobody else', () => {
    const folder = tempFolder()
    const target = path.join(folder, 'target')
    fs.writeFileSync(target, 'kept')
    fs.symlinkSync(target, path.join(folder, `${hexOf(digest)}.part`))
    expect(codeOf(() => PartFile.open(folder, digest))).toBe('FILE_IO')
    const other = PartFile.open(folder, digestOf('other'))
    other.close()
    expect(fs.statSync(other.path).mode & 0o777).toBe(0o600)
  })

  it('is removed with all others but those that are wanted', () => {
    const folder = tempFolder()
    const digests = ['a', 'b', 'c'].map(digestOf)
    for (const each of digests) PartFile.open(folder, each).close()
    fs.writeFileSync(path.join(folder, 'mine.txt'), '')
    removeParts(folder, new Set([digests[1]!]))
    expect(fs.readdirSync(folder).sort()).toEqual([`${hexOf(digests[1]!)}.part`, 'mine.txt'].sort())
    removeParts(folder)
    removeParts(path.join(folder, 'none'))
    expect(fs.readdirSync(folder)).toEqual(['mine.txt'])
  })
})
