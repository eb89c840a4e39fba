import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import { digestFile } from '../../../../src/repository/targets/read-file.ts'
import { tempFolder } from '../../../support/temp.ts'

const folder = tempFolder()
const hourAgo = new Date(Date.now() - 3_600_000)
const [first, second] = ['a', 'b'].map(letter => Buffer.alloc(100_000, letter)) as [Buffer, Buffer]

function write(name: string, bytes: Buffer, time: Date): string {
  const file = path.join(folder, name)
  fs.writeFileSync(file, bytes)
  fs.utimesSync(file, time, time)
  return file
}

describe('the digest of a file', () => {
  it('is that of its bytes, whatever they were before', async () => {
    const file = write('changed', first, hourAgo)
    expect(await digestFile(file)).toEqual({ sizeBytes: 100_000, digest: digestOf(first) })
    fs.writeFileSync(file, second)
    expect((await digestFile(file))?.digest).toBe(digestOf(second))
  })

  it('is that of another file in its place, whose time is the same', async () => {
    const file = write('replaced', first, hourAgo)
    expect((await digestFile(file))?.digest).toBe(digestOf(first))
    fs.renameSync(write('replacement', second, hourAgo), file)
    expect((await digestFile(file))?.digest).toBe(digestOf(second))
  })

  it('is not remembered of one that was written a moment ago: the next write may have the same time', async () => {
    const now = new Date()
    const file = write('fresh', first, now)
    expect((await digestFile(file))?.digest).toBe(digestOf(first))
    write('fresh', second, now)
    expect((await digestFile(file))?.digest).toBe(digestOf(second))
  })

  it('is the same under all names, asked for at once', async () => {
    const file = write('one', first, hourAgo)
    fs.linkSync(file, path.join(folder, 'two'))
    const names = ['one', 'two', 'one'].map(name => digestFile(path.join(folder, name)))
    expect(new Set((await Promise.all(names)).map(found => found?.digest))).toEqual(new Set([digestOf(first)]))
  })

  it('is none where nothing is', async () => {
    expect(await digestFile(path.join(folder, 'missing'))).toBeUndefined()
  })
})
