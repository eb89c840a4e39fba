import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import { applyDelta } from '../../../../src/payload/delta/apply.ts'
import { compressPiece } from '../../../../src/payload/delta/codec.ts'
import { openDelta } from '../../../../src/payload/delta/open.ts'
import { writeFolders } from '../../../../src/payload/extract.ts'
import { codeOfAsync } from '../../../support/codes.ts'
import { applied, filesBelow, type TestDelta, testDelta, withIndex } from '../../../support/delta.ts'
import { noise, type TestFiles, testEpoch } from '../../../support/payload.ts'
import { tempFolder } from '../../../support/temp.ts'

const lines = (what: string) => Array.from({ length: 200 }, (_, line) => `line ${line} of ${what}\n`).join('')
const oldFiles = { 'a/kept': 'kept', 'a/run.sh': lines('old'), 'b/c/moved': 'moved', 'b/text': lines('text') }
const nextFiles = {
  'a/empty': '',
  'a/kept': 'kept',
  'a/run.sh': `${lines('old')}more\n`,
  'b/new': 'new',
  'b/text': lines('text').replace('line 70', 'LINE 70'),
  'd/moved': 'moved',
}

let made: TestDelta
beforeAll(async () => {
  made = await testDelta(oldFiles, nextFiles)
})

describe('applyDelta', () => {
  it('writes the files that are new or changed and no others, as the manifest says', async () => {
    const { folder, written } = await applied(made, made.file)
    const brought = ['a/empty', 'a/run.sh', 'b/new', 'b/text', 'd/moved']
    expect([...written].toSorted()).toEqual(brought)
    expect(filesBelow(folder)).toEqual(brought)
    for (const name of brought) {
      expect(fs.readFileSync(path.join(folder, name), 'utf8')).toBe(nextFiles[name as keyof typeof nextFiles])
    }
    const { mode, mtimeMs } = fs.statSync(path.join(folder, 'a/run.sh'))
    expect([mode & 0o777, mtimeMs]).toEqual([0o755, testEpoch * 1000])
  })

  it('gives the new files of any pair of releases', async () => {
    const name = fc.constantFrom('a', 'b/a', 'b/b.js', 'b/c.js', 'c/a', 'c/d/a', 'c/d/e.4f.js', 'c/d/e.90.js')
    const content = fc.constantFrom(
      '',
      'x',
      lines('x'),
      lines('x').replaceAll('7', 'z'),
      lines('y'),
      lines('y').slice(9),
    )
    const release = fc.dictionary(name, content, { maxKeys: 6, noNullPrototype: true }).filter(withoutClash)
    await fc.assert(
      fc.asyncProperty(release, release, async (old, next) => {
        const delta = await testDelta(old, next)
        const { folder, written } = await applied(delta, delta.file)
        const changed = Object.keys(next).filter(each => next[each] !== old[each])
        expect([...written].toSorted()).toEqual(changed.toSorted())
        expect(filesBelow(folder)).toEqual(changed.toSorted())
        for (const each of changed) expect(fs.readFileSync(path.join(folder, each), 'utf8')).toBe(next[each])
      }),
      { numRuns: 6 },
    )
  })

  it.each(Object.entries(unusableBases()))('writes nothing when a file of the earlier release %s', async (_, harm) => {
    const oldFolder = tempFolder()
    fs.cpSync(made.oldFolder, oldFolder, { recursive: true })
    const outside = path.join(tempFolder(), 'text')
    fs.writeFileSync(outside, oldFiles['b/text'])
    harm(oldFolder, outside)
    const folder = tempFolder()
    expect(await codeOfAsync(applied({ ...made, oldFolder }, made.file, folder))).toBe('DELTA_BASE_MISMATCH')
    expect(filesBelow(folder)).toEqual([])
  })

  it('replaces what is planted under the names of files, and writes through none of it', async () => {
    const folder = tempFolder()
    const outside = path.join(tempFolder(), 'outside')
    fs.writeFileSync(outside, 'untouched')
    fs.mkdirSync(path.join(folder, 'b'))
    for (const name of ['b/text', 'b/new']) fs.symlinkSync(outside, path.join(folder, name))
    await applied(made, made.file, folder)
    expect(fs.readFileSync(outside, 'utf8')).toBe('untouched')
    expect(fs.lstatSync(path.join(folder, 'b/text')).isFile()).toBe(true)
    expect(fs.readFileSync(path.join(folder, 'b/new'), 'utf8')).toBe('new')
  })

  it('tells of a folder that stands where a file is to be', async () => {
    const folder = tempFolder()
    fs.mkdirSync(path.join(folder, 'b/text/x'), { recursive: true })
    expect(await codeOfAsync(applied(made, made.file, folder))).toBe('FILE_IO')
    expect(filesBelow(folder).filter(name => name.includes('.delta-'))).toEqual([])
  })

  it('leaves no part of a file when a piece is not what the index says', async () => {
    const damaged = Buffer.from(made.bytes)
    damaged[damaged.byteLength - 1]! ^= 1
    const folder = tempFolder()
    expect(await codeOfAsync(applied(made, damaged, folder))).toBe('DELTA_INVALID')
    // The copy and the empty file need no piece.
    expect(filesBelow(folder)).toEqual(['a/empty', 'd/moved'])
  })

  it.each([
    ['more', 1],
    ['less', -1],
  ])('refuses a piece that holds %s than it says', async (_, difference) => {
    const { index } = openDelta(made.file, made.manifest)
    const bytes = await compressPiece(Buffer.alloc(index.pieces[0]!.contentSizeBytes + difference), Buffer.alloc(1))
    const change = { sizeBytes: bytes.byteLength, digest: digestOf(bytes), dictionary: [] }
    const false_ = withIndex(made.bytes, loose => Object.assign(loose['pieces']![0]!, change), bytes)
    expect(await codeOfAsync(applied(made, false_))).toBe('DELTA_INVALID')
  })

  it('unpacks no more of a piece than it says, however much it holds', async () => {
    const bytes = await compressPiece(Buffer.alloc(64 * 1024 * 1024), Buffer.alloc(1))
    const change = { sizeBytes: bytes.byteLength, digest: digestOf(bytes), dictionary: [] }
    const bomb = withIndex(made.bytes, loose => Object.assign(loose['pieces']![0]!, change), bytes)
    expect(await codeOfAsync(applied(made, bomb))).toBe('DELTA_INVALID')
  })

  it('refuses a piece of other content', async () => {
    const { index } = openDelta(made.file, made.manifest)
    const bytes = await compressPiece(Buffer.alloc(index.pieces[0]!.contentSizeBytes, 'x'), Buffer.alloc(1))
    const change = { sizeBytes: bytes.byteLength, digest: digestOf(bytes), dictionary: [] }
    const other = withIndex(made.bytes, loose => Object.assign(loose['pieces']![0]!, change), bytes)
    const folder = tempFolder()
    expect(await codeOfAsync(applied(made, other, folder))).toBe('FILE_DIGEST')
    expect(filesBelow(folder)).toEqual(['a/empty', 'd/moved'])
  })

  it('ends with the reason of its signal', async () => {
    const reason = new Error('enough')
    const folder = tempFolder()
    const { manifest, oldFolder, file } = made
    writeFolders(manifest, folder)
    const options = { delta: openDelta(file, manifest), manifest, oldFolder, folder }
    await expect(applyDelta({ ...options, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(filesBelow(folder)).toEqual([])
  })

  it('tells how far it is', async () => {
    const folder = tempFolder()
    const { manifest, oldFolder, file } = made
    writeFolders(manifest, folder)
    const progress: (readonly [number, number])[] = []
    const onProgress = (done: number, total: number) => progress.push([done, total])
    await applyDelta({ delta: openDelta(file, manifest), manifest, oldFolder, folder, onProgress })
    const total = Buffer.byteLength(nextFiles['a/run.sh'] + nextFiles['b/text'] + nextFiles['b/new'])
    expect(progress.at(-1)).toEqual([total, total])
  })
})

/** No name may be a file here and a folder there. */
function withoutClash(files: TestFiles): boolean {
  const names = Object.keys(files)
  return !names.some(name => names.some(other => other.startsWith(`${name}/`)))
}

function unusableBases(): Record<string, (oldFolder: string, outside: string) => void> {
  const replaced = (put: (name: string, outside: string) => void) => (oldFolder: string, outside: string) => {
    const name = path.join(oldFolder, 'b/text')
    fs.rmSync(name)
    put(name, outside)
  }
  return {
    'is damaged': replaced(name => fs.writeFileSync(name, oldFiles['b/text'].replace('line 9 ', 'LINE 9 '))),
    'is shorter': replaced(name => fs.writeFileSync(name, oldFiles['b/text'].slice(1))),
    'is huge': replaced(name => {
      fs.writeFileSync(name, noise(64))
      fs.truncateSync(name, 2 ** 40)
    }),
    'is gone': replaced(() => {}),
    'is a link to the same content': replaced((name, outside) => fs.symlinkSync(outside, name)),
    'is a folder': replaced(name => fs.mkdirSync(name)),
    'is a pipe that nobody writes to': replaced(name => execFileSync('mkfifo', [name])),
    'lies in a folder that is a link to the same files': (oldFolder, outside) => {
      fs.rmSync(path.join(oldFolder, 'b'), { recursive: true })
      fs.mkdirSync(path.join(path.dirname(outside), 'c'))
      fs.writeFileSync(path.join(path.dirname(outside), 'c/moved'), oldFiles['b/c/moved'])
      fs.symlinkSync(path.dirname(outside), path.join(oldFolder, 'b'))
    },
    'lies where a file is in place of its folder': oldFolder => {
      fs.rmSync(path.join(oldFolder, 'b'), { recursive: true })
      fs.writeFileSync(path.join(oldFolder, 'b'), '')
    },
  }
}
