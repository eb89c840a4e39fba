import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ReleaseError } from '../../../src/core/error.ts'
import { type SmallMember, smallTar, tarEnd } from '../../../src/envelope/small-tar.ts'
import { bundleAddress, listBundle, openBundleEntry } from '../../../src/sys/bundle-file.ts'
import { indexTar } from '../../../src/sys/bundle-index.ts'
import { readBytes, resolveUrl } from '../../../src/sys/http.ts'
import { codeOf } from '../../support/codes.ts'
import { tempFolder } from '../../support/temp.ts'

const plain = (name: string, text: string): SmallMember => ({
  entry: { type: 'file', name, mode: 0o644, sizeBytes: Buffer.byteLength(text) },
  bytes: Buffer.from(text),
})

const archive = (...members: SmallMember[]) => Buffer.concat([smallTar(members, 0), tarEnd])

const index = (bytes: Buffer) =>
  indexTar({
    name: 'test.bundle',
    sizeBytes: bytes.byteLength,
    readAt: (position, sizeBytes) => bytes.subarray(position, position + sizeBytes),
  })

const example = archive(plain('bundle.json', '{}'), plain(`pool/${'n'.repeat(120)}`, 'long'), plain('pool/b', ''))

test('lists every file with its place', () => {
  const entries = index(example)
  expect([...entries.keys()]).toEqual(['bundle.json', `pool/${'n'.repeat(120)}`, 'pool/b'])
  const long = entries.get(`pool/${'n'.repeat(120)}`)!
  expect(example.toString('latin1', long.start, long.start + long.sizeBytes)).toBe('long')
})

test('reads what GNU tar writes, padded to a full record', () => {
  const folder = tempFolder()
  fs.mkdirSync(path.join(folder, 'pool'))
  fs.writeFileSync(path.join(folder, 'pool', 'a'), 'content')
  execFileSync('tar', ['--format=gnu', '-cf', 'x.tar', 'pool/a'], { cwd: folder })
  expect([...index(fs.readFileSync(path.join(folder, 'x.tar'))).keys()]).toEqual(['pool/a'])
})

const hostile: readonly (readonly [string, Buffer])[] = [
  ['a name twice', archive(plain('a', '1'), plain('a', '2'))],
  ['an absolute name', archive(plain('/etc/passwd', ''))],
  ['a name that climbs', archive(plain('pool/../../x', ''))],
  ['a link', archive({ entry: { type: 'symlink', name: 'pool', linkTarget: '/etc' } })],
  ['a folder', archive({ entry: { type: 'directory', name: 'pool/', mode: 0o755 } })],
  ['something behind its end', Buffer.concat([archive(plain('a', '1')), archive(plain('b', '2'))])],
  ['more zeros than a record', Buffer.concat([archive(plain('a', '1')), Buffer.alloc(1024 * 1024 + 512)])],
  ['no bytes', Buffer.alloc(0)],
  ['something else', Buffer.from('PK\x03\x04'.padEnd(2048, 'x'))],
]

test.each(hostile)('refuses a tar with %s', (_, bytes) => {
  expect(codeOf(() => index(bytes))).toBe('BUNDLE_INVALID')
})

test('a tar with nothing in it has no files', () => {
  expect(index(tarEnd).size).toBe(0)
})

test('refuses one that is cut off anywhere', () => {
  for (let length = 0; length < example.byteLength; length += 97) {
    expect(codeOf(() => index(example.subarray(0, length)))).toBe('BUNDLE_INVALID')
  }
})

test('refuses sizes that reach beyond the file, also in base 256', async () => {
  const huge = { entry: { type: 'file', name: 'a', mode: 0o644, sizeBytes: 2 ** 40 } } as const
  const bytes = Buffer.alloc(512)
  const { writeTarHeader } = await import('../../../src/payload/tar.ts')
  writeTarHeader(bytes, 0, huge.entry, 0)
  expect(codeOf(() => index(Buffer.concat([bytes, tarEnd])))).toBe('BUNDLE_INVALID')
})

test('whatever bytes come: a list that lies within them, or a refusal', () => {
  const changes = fc.array(fc.record({ at: fc.nat(example.byteLength - 1), value: fc.nat(255) }), { maxLength: 4 })
  fc.assert(
    fc.property(changes, fc.nat(example.byteLength), (changed, length) => {
      const bytes = Buffer.from(example.subarray(0, length))
      for (const { at, value } of changed) if (at < length) bytes[at] = value
      let entries: ReturnType<typeof index>
      try {
        entries = index(bytes)
      } catch (caught) {
        expect(caught).toBeInstanceOf(ReleaseError)
        return
      }
      for (const { start, sizeBytes } of entries.values()) expect(start + sizeBytes).toBeLessThanOrEqual(length)
    }),
  )
})

test('keys are appended to its address as to any other', async () => {
  const file = path.join(tempFolder(), 'a b%#?!.bundle')
  fs.writeFileSync(file, archive(plain('metadata/1.root.json', '{"a":1}'), plain('pool/x y#1', '0123456789')))
  const base = bundleAddress(file)
  expect(await readBytes(resolveUrl(base, 'metadata/1.root.json'), 100)).toEqual(Buffer.from('{"a":1}'))
  // As a library for TUF does it.
  const joined = new URL(`${resolveUrl(base, 'metadata')}/1.root.json`).toString()
  expect(await readBytes(joined, 100)).toEqual(Buffer.from('{"a":1}'))
  const url = resolveUrl(base, 'pool/x y#1')
  expect(await readBytes(url, 100, { range: { start: 2, end: 5 } })).toEqual(Buffer.from('234'))
  expect(await readBytes(url, 100, { range: { start: 8, end: 50 } })).toEqual(Buffer.from('89'))
  expect(await readBytes(url, 100, { range: { start: 50, end: 60 } })).toEqual(Buffer.from(''))
  expect(await readBytes(resolveUrl(base, 'metadata/2.root.json'), 100)).toBeUndefined()
})

test('a bundle that was replaced is listed again', () => {
  const file = path.join(tempFolder(), 'x.bundle')
  fs.writeFileSync(file, archive(plain('a', '1')))
  expect([...listBundle(file).keys()]).toEqual(['a'])
  fs.writeFileSync(file, archive(plain('a', '1'), plain('b', '2')))
  expect([...listBundle(file).keys()]).toEqual(['a', 'b'])
})

test('a file in no bundle, and a bundle that is not there, are named', () => {
  const file = path.join(tempFolder(), 'none.bundle')
  expect(codeOf(() => openBundleEntry(resolveUrl(bundleAddress(file), 'a')))).toBe('BUNDLE_UNKNOWN')
  for (const url of ['bundle:///a.bundle/key', 'bundle:///a.bundle//../x', 'bundle:///a%2fb//x', 'bundle:///a//%zz']) {
    expect(codeOf(() => openBundleEntry(url))).toBe('HTTP_FAILED')
  }
})
