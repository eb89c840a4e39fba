import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EntryOrder, linkProblem, type PayloadEntry, rootFolders } from '../../../src/payload/entry.ts'

describe('linkProblem', () => {
  it.each([
    ['a', 'b'],
    ['a', './b/'],
    ['d/a', '../b'],
    ['d/e/a', '../../b/c'],
    ['d/a', '..'],
  ])('accepts %s → %s', (name, target) => {
    expect(linkProblem(name, target)).toBeUndefined()
  })

  it.each([
    ['a', ''],
    ['a', '/etc/passwd'],
    ['a', '..'],
    ['a', '../b'],
    ['d/a', '../../b'],
    ['d/a', './../../b'],
    ['d/a', 'x/..'],
    ['d/a', 'x/../../..'],
    ['a', 'b\nc'],
    ['a', 'x'.repeat(4096)],
  ])('refuses %s → %s', (name, target) => {
    expect(linkProblem(name, target)).toBeTypeOf('string')
  })

  it('lets no chain of accepted links lead out of the tree', () => {
    const name = fc.constantFrom('a', 'b', 'c')
    const target = fc.array(fc.constantFrom('..', '.', 'a', 'b', 'c'), { minLength: 1, maxLength: 5 })
    const link = fc.tuple(fc.array(name, { minLength: 1, maxLength: 3 }), target)
    fc.assert(
      fc.property(fc.array(link, { maxLength: 6 }), links => {
        const accepted = new Map<string, string>()
        for (const [names, parts] of links) {
          const from = names.join('/')
          const isBelowLink = [...accepted.keys()].some(
            other => from.startsWith(`${other}/`) || other.startsWith(`${from}/`),
          )
          if (!isBelowLink && linkProblem(from, parts.join('/')) === undefined) accepted.set(from, parts.join('/'))
        }
        for (const from of accepted.keys()) expect(leavesTree(from, accepted)).toBe(false)
      }),
      { numRuns: 2000 },
    )
  })
})

/** Resolve as the kernel does, component by component, at most 40 links. */
function leavesTree(start: string, links: ReadonlyMap<string, string>): boolean {
  const todo = start.split('/')
  let at: string[] = []
  for (let steps = 0; todo.length > 0 && steps < 200; steps += 1) {
    const name = todo.shift()!
    if (name === '.' || name === '') continue
    if (name === '..') {
      if (at.length === 0) return true
      at.pop()
      continue
    }
    const target = links.get([...at, name].join('/'))
    if (target === undefined) at = [...at, name]
    else todo.unshift(...target.split('/'))
  }
  return false
}

describe('EntryOrder', () => {
  const folder = (name: string): PayloadEntry => ({ type: 'directory', path: name, mode: 0o755 })
  const file = (name: string, mode = 0o644): PayloadEntry => ({ type: 'file', path: name, mode, sizeBytes: 0 })
  const link = (name: string): PayloadEntry => ({ type: 'symlink', path: name, linkTarget: 'x' })

  function firstProblem(...entries: PayloadEntry[]): string | undefined {
    const order = new EntryOrder()
    return entries.map(entry => order.problem(entry)).find(problem => problem !== undefined)
  }

  it('accepts folders before their content, byte order, links last', () => {
    expect(firstProblem(folder('a'), file('a-b'), file('a/b'), file('é'), link('a/c'), link('b'))).toBeUndefined()
  })

  it.each([
    ['a file that is there twice', [file('a'), file('a')]],
    ['a link over a file', [file('a'), link('a')]],
    ['an order that is not that of bytes', [file('b'), file('a')]],
    ['a file after a link', [link('a'), file('b')]],
    ['a file below a link', [link('a'), link('a/b')]],
    ['a file below a file', [file('a'), file('a/b')]],
    ['a folder that is not listed', [file('a/b')]],
    ['setuid', [file('a', 0o4755)]],
    ['a path that climbs', [file('../a')]],
    ['an absolute path', [file('/a')]],
  ])('refuses %s', (_, entries) => {
    expect(firstProblem(...entries)).toBeTypeOf('string')
  })
})

describe('rootFolders', () => {
  it('names every folder down to the root', () => {
    expect(rootFolders('opt/app').map(entry => entry.name)).toEqual(['./', './opt/', './opt/app/'])
    expect(path.posix.normalize(rootFolders('a')[0]!.name)).toBe('./')
  })
})
