import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildTree } from '../../../src/build/tree.ts'
import { compareBytes } from '../../../src/core/relative-path.ts'
import { writeFiles } from '../../support/git-repository.ts'
import { tempFolder } from '../../support/temp.ts'
import { needTool } from '../../support/tools.ts'

type Payload = Parameters<typeof buildTree>[1]

function payload(...entries: readonly { from: string; to?: string; mode?: string }[]): Payload {
  return { root: 'opt/notes', exclude: [], entries: [...entries] }
}

const pathsOf = (tree: ReturnType<typeof buildTree>) => tree.entries.map(entry => entry.path)

describe('buildTree', () => {
  it('sorts by bytes, folders before their content, links last, with the folders that a path needs', () => {
    const checkout = tempFolder()
    writeFiles(checkout, { 'lib/b.js': 'b', 'lib/a/x': 'x', 'lib/a-b': '-', 'lib/ü': 'u', 'run.sh': '#!' })
    fs.symlinkSync('a-b', path.join(checkout, 'lib/0'))
    const tree = buildTree(checkout, payload({ from: 'run.sh', to: 'bin/deep/run' }, { from: 'lib' }))
    expect(tree.root).toBe('opt/notes')
    expect(pathsOf(tree)).toEqual([
      'bin',
      'bin/deep',
      'bin/deep/run',
      'lib',
      'lib/a',
      'lib/a-b',
      'lib/a/x',
      'lib/b.js',
      'lib/ü',
      'lib/0',
    ])
    expect(tree.entries.at(-1)).toEqual({ type: 'symlink', path: 'lib/0', linkTarget: 'a-b' })
  })

  it('normalises modes, whatever the umask was, and takes the recipe’s word for its entries', () => {
    const checkout = tempFolder()
    writeFiles(checkout, { plain: '', run: '', secret: '' })
    for (const [name, mode] of [
      ['plain', 0o600],
      ['run', 0o4711],
      ['secret', 0o777],
    ] as const)
      fs.chmodSync(path.join(checkout, name), mode)
    const tree = buildTree(checkout, payload({ from: 'plain' }, { from: 'run' }, { from: 'secret', mode: '0640' }))
    expect(tree.entries.map(entry => 'mode' in entry && entry.mode)).toEqual([0o644, 0o755, 0o640])
  })

  it('takes the whole checkout, merges folders, and puts a folder’s content at the root', () => {
    const checkout = tempFolder()
    writeFiles(checkout, { a: '1', 'out/x/b': '2' })
    expect(pathsOf(buildTree(checkout, payload({ from: '.' })))).toEqual(['a', 'out', 'out/x', 'out/x/b'])
    writeFiles(checkout, { 'more/x/c': '3' })
    const merged = buildTree(checkout, payload({ from: 'out', to: '.' }, { from: 'more', to: '.' }))
    expect(pathsOf(merged)).toEqual(['x', 'x/b', 'x/c'])
  })

  it('leaves out what the patterns match, folders with all below them', () => {
    const checkout = tempFolder()
    writeFiles(checkout, { 'm/a/test/x': '', 'm/a/i.js': '', 'm/a/i.js.map': '', 'm/.bin/x': '' })
    const exclude = ['**/test', '**/*.map', 'm/.bin']
    expect(pathsOf(buildTree(checkout, { ...payload({ from: 'm' }), exclude }))).toEqual(['m', 'm/a', 'm/a/i.js'])
  })

  it('refuses what the build did not make, what comes twice, and nothing at all', () => {
    const checkout = tempFolder()
    writeFiles(checkout, { a: '1', b: '2' })
    fs.mkdirSync(path.join(checkout, 'empty'))
    const refuses = (recipe: Payload, code: string) =>
      expect(() => buildTree(checkout, recipe)).toThrow(expect.objectContaining({ code }))
    refuses(payload({ from: 'missing' }), 'BUILD_ENTRY_MISSING')
    refuses(payload({ from: 'a' }, { from: 'b', to: 'a' }), 'BUILD_ENTRY_REPEATED')
    refuses(payload({ from: 'a', to: 'x' }, { from: 'b', to: 'x/y' }), 'BUILD_ENTRY_REPEATED')
    refuses(payload({ from: 'empty' }), 'BUILD_EMPTY')
  })

  it.skipIf(!needTool('mkfifo'))('refuses a pipe, with its path', () => {
    const checkout = tempFolder()
    execFileSync('mkfifo', [path.join(checkout, 'pipe')])
    expect(() => buildTree(checkout, payload({ from: '.' }))).toThrow(
      expect.objectContaining({ code: 'BUILD_ENTRY_KIND', details: { path: 'pipe' } }),
    )
  })

  it('refuses a name that is not UTF-8', () => {
    const checkout = tempFolder()
    fs.writeFileSync(Buffer.concat([Buffer.from(`${checkout}/x`), Buffer.from([0xff])]), '')
    expect(() => buildTree(checkout, payload({ from: '.' }))).toThrow(expect.objectContaining({ code: 'PATH_UNSAFE' }))
  })

  it('keeps the order for any names', () => {
    const name = fc.stringMatching(/^[a-c.ü-]{1,3}$/).filter(text => text !== '.' && text !== '..')
    fc.assert(
      fc.property(fc.uniqueArray(fc.array(name, { minLength: 1, maxLength: 3 }), { maxLength: 6 }), files => {
        const checkout = fs.mkdtempSync(path.join(tempRoot, 'x'))
        fs.writeFileSync(path.join(checkout, 'zz'), '')
        for (const file of files) fs.mkdirSync(path.join(checkout, ...file), { recursive: true })
        const paths = pathsOf(buildTree(checkout, payload({ from: '.' })))
        expect(paths).toEqual(paths.toSorted(compareBytes))
        for (const place of paths)
          expect(place.includes('/') ? paths.indexOf(path.dirname(place)) : -1).toBeLessThan(paths.indexOf(place))
      }),
      { numRuns: 50 },
    )
  })
})

const tempRoot = tempFolder()
