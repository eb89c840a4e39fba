import fs from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { create } from 'tar'
import { describe, expect, it } from 'vitest'
import { readArchiveMetadata } from '../../../src/evidence/python-archive.ts'
import { parsePythonMetadata } from '../../../src/evidence/python-metadata.ts'
import { Unreadable } from '../../../src/evidence/unreadable.ts'
import { storedZip, testInventory } from '../../support/evidence.ts'
import { tempFolder } from '../../support/temp.ts'

const metadata = (name: string, version: string, ...more: readonly string[]) =>
  ['Metadata-Version: 2.1', `Name: ${name}`, `Version: ${version}`, ...more, '', 'Name: not.this'].join('\n')

describe('parsePythonMetadata', () => {
  it('reads headers up to the first empty line', () => {
    const text = metadata(
      'Some.Thing',
      '1.2',
      'Summary: a thing',
      ' of two lines',
      'Project-URL: Homepage, https://example.org/thing',
      'Requires-Dist: other_thing (>=1.0)',
      'Requires-Dist: tests-only ; extra == "test"',
      "Requires-Dist: old-only>2; python_version < '3'",
      'License: MIT',
    )
    expect(parsePythonMetadata(text.replaceAll('\n', '\r\n'))).toMatchObject({
      name: 'Some.Thing',
      version: '1.2',
      summary: 'a thing\nof two lines',
      homepage: 'https://example.org/thing',
      licences: ['MIT'],
      requires: ['old-only', 'other-thing'],
    })
  })

  it.each([
    [['License-Expression: MIT OR ISC', 'License: other'], ['MIT OR ISC']],
    [['Classifier: License :: OSI Approved :: MIT License', 'License: '.padEnd(60, 'x')], ['MIT License']],
    [['License: UNKNOWN'], []],
  ])('takes the licence of %j', (lines, expected) => {
    expect(parsePythonMetadata(metadata('a', '1', ...lines)).licences).toEqual(expected)
  })

  it.each(['', 'Name: a', 'Name: ../a\nVersion: 1', 'nothing\nName: a\nVersion: 1'])('refuses %j', text => {
    expect(() => parsePythonMetadata(text)).toThrow(Unreadable)
  })

  it('reads or refuses any text', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        try {
          parsePythonMetadata(`Name: a\nVersion: 1\n${text}`)
        } catch (caught) {
          expect(caught).toBeInstanceOf(Unreadable)
        }
      }),
    )
  })
})

describe('readArchiveMetadata', () => {
  const wheel = storedZip({ 'a/__init__.py': '', 'a-1.0.dist-info/METADATA': metadata('a', '1.0'), 'b/METADATA': 'no' })

  it('reads a wheel', async () => {
    const file = path.join(tempFolder(), 'a-1.0-py3-none-any.whl')
    fs.writeFileSync(file, wheel)
    expect(await readArchiveMetadata(file)).toBe(metadata('a', '1.0'))
  })

  it('reads a source distribution, and takes other archives for none', async () => {
    const folder = tempFolder()
    fs.mkdirSync(path.join(folder, 'a-1.0/a.egg-info'), { recursive: true })
    fs.writeFileSync(path.join(folder, 'a-1.0/PKG-INFO'), metadata('a', '1.0'))
    fs.writeFileSync(path.join(folder, 'a-1.0/a.egg-info/PKG-INFO'), 'no')
    await create({ cwd: folder, file: path.join(folder, 'a-1.0.tar.gz'), gzip: true }, ['a-1.0'])
    expect(await readArchiveMetadata(path.join(folder, 'a-1.0.tar.gz'))).toBe(metadata('a', '1.0'))
    await create({ cwd: folder, file: path.join(folder, 'b-1.0.tar.gz'), gzip: true }, ['a-1.0/a.egg-info'])
    expect(await readArchiveMetadata(path.join(folder, 'b-1.0.tar.gz'))).toBeUndefined()
  })

  it.each([
    ['a-1.0.tar.gz', Buffer.from('no gzip')],
    ['a-1.0.tar.gz', gzipSync('no tar'.repeat(400))],
    ['a-1.0.tar.gz', gzipSync('x').subarray(0, 12)],
    ['a-1.0.whl', Buffer.from('no zip')],
    ['a-1.0.whl', storedZip({ 'a/METADATA': '' })],
  ])('refuses a damaged %s', async (name, bytes) => {
    const file = path.join(tempFolder(), name)
    fs.writeFileSync(file, bytes)
    await expect(readArchiveMetadata(file)).rejects.toBeInstanceOf(Unreadable)
  })

  it('refuses a wheel cut at any length, and bears any changed byte', async () => {
    const file = path.join(tempFolder(), 'a-1.0.whl')
    for (let length = 0; length < wheel.byteLength; length += 1) {
      fs.writeFileSync(file, wheel.subarray(0, length))
      await expect(readArchiveMetadata(file)).rejects.toBeInstanceOf(Unreadable)
    }
    for (let at = 0; at < wheel.byteLength; at += 1) {
      const changed = Buffer.from(wheel)
      changed[at] = 255 - changed[at]!
      fs.writeFileSync(file, changed)
      const read = await readArchiveMetadata(file).catch(caught => caught)
      expect(typeof read === 'string' || read instanceof Unreadable).toBe(true)
    }
  })
})

describe('findPythonPackages', () => {
  it('finds installed distributions with their files, and archives', async () => {
    const site = 'venv/lib/python3/site-packages'
    const { inventory } = await testInventory(tempFolder(), {
      [`${site}/one.py`]: '',
      [`${site}/one-1.0.dist-info/METADATA`]: metadata('One', '1.0', 'Requires-Dist: two'),
      [`${site}/one-1.0.dist-info/RECORD`]: 'one.py,,\n"one-1.0.dist-info/METADATA",,\n../../../bin/one,,\n../gone,,\n',
      'venv/bin/one': '',
      [`${site}/two-2.0.egg-info`]: metadata('two', '2.0'),
      [`${site}/three.egg-info/PKG-INFO`]: metadata('three', '3.0', 'Requires-Dist: one'),
      'vendor/two-2.1-py3-none-any.whl': storedZip({ 'two-2.1.dist-info/METADATA': metadata('two', '2.1') }),
      'vendor/notes-1.zip': storedZip({ 'notes.txt': '' }),
      'vendor/bad-1.0.whl': 'no',
    })
    const found = inventory.packages.map(({ component, files }) => [
      component.purl,
      [...component.dependencies].map(ref => ref.value),
      files ?? [],
    ])
    expect(found).toEqual([
      ['pkg:pypi/two@2.1', [], []],
      [
        'pkg:pypi/one@1.0',
        [`${site}/two-2.0.egg-info`],
        [`${site}/one.py`, `${site}/one-1.0.dist-info/METADATA`, 'venv/bin/one'],
      ],
      ['pkg:pypi/three@3.0', [`${site}/one-1.0.dist-info`], []],
      ['pkg:pypi/two@2.0', [], []],
    ])
    expect(inventory.problems).toEqual([{ path: 'vendor/bad-1.0.whl', reason: 'is not a zip' }])
  })
})
