import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { DigestThreads } from '../../../src/sys/digest-threads.ts'
import { digestFileSync } from '../../../src/sys/file-digest.ts'
import { codeOf, codeOfAsync } from '../../support/codes.ts'
import { tempFolder } from '../../support/temp.ts'

const mebibyte = 1024 * 1024

function written(bytes: Buffer): string {
  const file = path.join(tempFolder(), 'file')
  fs.writeFileSync(file, bytes)
  return file
}

describe('digestFileSync', () => {
  it.each([0, 1, mebibyte - 1, mebibyte, mebibyte + 1, 2 * mebibyte])('digests a file of %i bytes', sizeBytes => {
    const bytes = Buffer.alloc(sizeBytes, 'cutover')
    expect(digestFileSync(written(bytes))).toEqual({ sizeBytes, digest: digestOf(bytes) })
  })

  it('tells what is missing from what cannot be read', () => {
    const file = written(Buffer.from('a'))
    expect(digestFileSync(`${file}-not`)).toBeUndefined()
    expect(digestFileSync(`${file}/below`)).toBeUndefined()
    expect(codeOf(() => digestFileSync(path.dirname(file)))).toBe('FILE_IO')
  })

  it('names what is there instead of a file, and waits for no pipe', () => {
    const pipe = path.join(tempFolder(), 'pipe')
    execFileSync('mkfifo', [pipe])
    for (const place of [pipe, path.dirname(pipe)]) expect(() => digestFileSync(place)).toThrow(`${place} is no file`)
  })
})

describe('DigestThreads', () => {
  const threads = new DigestThreads()
  afterEach(() => threads.close())

  it('start when there is much to do, and answer each order in its order', async () => {
    const files = ['a', 'b'].map(content => written(Buffer.from(content)))
    const expected = ['a', 'b'].map(content => ({ sizeBytes: 1, digest: digestOf(content) }))
    expect(await threads.digest(files, 2)).toEqual(expected)
    expect(threads.areStarted).toBe(false)
    const orders = [threads.digest(files, 64 * mebibyte), threads.digest(['/not/there', ...files.toReversed()], 2)]
    expect(threads.areStarted).toBe(true)
    expect(await Promise.all(orders)).toEqual([expected, [undefined, ...expected.toReversed()]])
    expect(await codeOfAsync(threads.digest([path.dirname(files[0]!)], 1))).toBe('FILE_IO')
  })
})
