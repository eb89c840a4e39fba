import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { type LocalFile, type PlacingWay, placeLocalFile } from '../../../src/payload/local-file.ts'
import { noise, testEpoch } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

const contents = { empty: Buffer.alloc(0), small: Buffer.from('content'), large: noise(5_000_000) }
const ways: readonly PlacingWay[] = ['link', 'copy', 'move']

/** A local file with some content, and an empty folder that it is to be placed in. */
function local(content: Buffer, way: PlacingWay) {
  const from = path.join(tempFolder(), 'from')
  fs.writeFileSync(from, content)
  fs.chmodSync(from, 0o644)
  const folder = tempFolder()
  const file: LocalFile['file'] = { path: 'to', mode: 0o644, sizeBytes: content.byteLength, digest: digestOf(content) }
  const to = path.join(folder, 'to')
  return { from, to, place: (mode = 0o644) => place({ file: { ...file, mode }, from, way }, folder) }
}

function place(file: LocalFile, folder: string): PlacingWay | undefined {
  return placeLocalFile(file, { folder, mtimeSeconds: testEpoch })
}

describe.each(ways)('way %s', way => {
  it.each(Object.entries(contents))('places what is %s', (_, content) => {
    const { from, to, place } = local(content, way)
    const before = fs.statSync(from)
    expect(place()).toBe(way)
    expect(fs.readFileSync(to).equals(content)).toBe(true)
    const { mode, mtimeMs, nlink, ino } = fs.statSync(to)
    expect(mode & 0o777).toBe(0o644)
    expect(mtimeMs).toBe(way === 'link' ? before.mtimeMs : testEpoch * 1000)
    expect([nlink, ino === before.ino]).toEqual([way === 'link' ? 2 : 1, way !== 'copy'])
    expect(fs.existsSync(from)).toBe(way !== 'move')
  })

  it.each(Object.entries(unusable()))('leaves nothing where the local file %s', (_, harm) => {
    const { from, to, place } = local(contents.small, way)
    harm(from)
    expect(place()).toBe(undefined)
    expect(fs.existsSync(to)).toBe(false)
  })

  it('leaves nothing of a large file that was changed', () => {
    const { from, to, place } = local(contents.large, way)
    const descriptor = fs.openSync(from, 'r+')
    fs.writeSync(descriptor, 'x', 4_999_000)
    fs.closeSync(descriptor)
    expect(place()).toBe(undefined)
    expect(fs.existsSync(to)).toBe(false)
  })

  it('gives the mode of the manifest to what had another, and not to who shares the file', () => {
    const { from, to, place } = local(contents.small, way)
    expect(place(0o755)).toBe(way === 'link' ? 'copy' : way)
    expect(fs.statSync(to).mode & 0o777).toBe(0o755)
    if (way !== 'move') expect(fs.statSync(from).mode & 0o777).toBe(0o644)
  })
})

it.skipIf(process.getuid!() !== 0)('links no file of somebody else', () => {
  const { from, to, place } = local(contents.small, 'link')
  fs.chownSync(from, 12_345, 12_345)
  expect(place()).toBe('copy')
  expect(fs.statSync(to)).toMatchObject({ uid: 0, nlink: 1 })
})

it('moves no file that has another name: it belongs to another release as well', () => {
  const { from, to, place } = local(contents.small, 'move')
  const other = `${from}.other`
  fs.linkSync(from, other)
  const before = fs.statSync(other)
  expect(place()).toBe(undefined)
  expect(fs.existsSync(to)).toBe(false)
  expect(fs.statSync(other).mtimeMs).toBe(before.mtimeMs)
})

it('tells of a folder that is not there as of a file that is not', () => {
  const { from } = local(contents.small, 'copy')
  const file = { path: 'gone/to', mode: 0o644, sizeBytes: 7, digest: digestOf('content') }
  expect(place({ file, from, way: 'copy' }, tempFolder())).toBe(undefined)
})

function unusable(): Record<string, (from: string) => void> {
  return {
    'has another content': from => fs.writeFileSync(from, 'CONTENT'),
    'has another size': from => fs.appendFileSync(from, 'more'),
    'is gone': from => fs.rmSync(from),
    'is a link to the same content': from => {
      fs.renameSync(from, `${from}.real`)
      fs.symlinkSync(`${from}.real`, from)
    },
    'is a folder': from => {
      fs.rmSync(from)
      fs.mkdirSync(from)
    },
    'is a pipe': from => {
      fs.rmSync(from)
      execFileSync('mkfifo', [from])
    },
  }
}
