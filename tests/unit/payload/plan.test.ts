import { describe, expect, it } from 'vitest'
import type { Tree, TreeEntry } from '../../../src/core/tree.ts'
import { chunkBytes } from '../../../src/payload/chunk.ts'
import { type PlannedGroup, planGroups } from '../../../src/payload/plan.ts'

const kib = 1024

function tree(entries: readonly TreeEntry[]): Tree {
  return { root: 'opt/app', entries }
}

function file(path: string, sizeBytes: number): TreeEntry {
  return { type: 'file', path, mode: 0o644, sizeBytes, source: `/nowhere/${path}` }
}

/** Folders p000, p001 … with 20 files of 15 KiB each. */
function packages(count: number): TreeEntry[] {
  return Array.from({ length: count }, (_, index) => `p${String(index).padStart(3, '0')}`).flatMap(name => [
    { type: 'directory', path: name, mode: 0o755 } as const,
    ...Array.from({ length: 20 }, (_, number) => file(`${name}/f${String(number).padStart(2, '0')}`, 15 * kib)),
  ])
}

function names(group: PlannedGroup): string[] {
  return group.kind === 'large' ? [group.file.tar.name] : group.members.map(member => member.tar.name)
}

describe('planGroups', () => {
  it('puts everything into groups, in order, each within the sizes of a chunk', () => {
    const groups = planGroups(tree(packages(100)))
    expect(groups.flatMap(names)).toEqual([
      './',
      './opt/',
      './opt/app/',
      ...packages(100).map(entry => `./opt/app/${entry.path}${entry.type === 'directory' ? '/' : ''}`),
    ])
    for (const group of groups.slice(0, -1)) {
      expect(group.tarSizeBytes).toBeGreaterThanOrEqual(chunkBytes.min)
      expect(group.tarSizeBytes).toBeLessThanOrEqual(chunkBytes.max)
    }
  })

  it('starts each group at a folder', () => {
    const starts = planGroups(tree(packages(100))).map(group => names(group)[0]!)
    expect(starts.every(name => name.endsWith('/'))).toBe(true)
  })

  it('changes only the groups near a file that is new', () => {
    const before = planGroups(tree(packages(300))).map(group => names(group).join('\n'))
    const entries = packages(300)
    entries.splice(entries.findIndex(entry => entry.path === 'p050/f03') + 1, 0, file('p050/f03x', 900 * kib))
    const after = new Set(planGroups(tree(entries)).map(group => names(group).join('\n')))
    expect(before.length).toBeGreaterThan(12)
    expect(before.filter(group => !after.has(group)).length).toBeLessThanOrEqual(3)
  })

  it('gives a large file groups of its own', () => {
    const groups = planGroups(tree([file('a', 10), file('b', 20 * kib * kib), file('c', 10)]))
    expect(groups.map(group => group.kind)).toEqual(['whole', 'large', 'whole'])
  })

  it('handles files that do not share a group with anything', () => {
    const entries = ['a', 'b', 'c', 'd'].map(name => file(name, 5 * kib * kib))
    const groups = planGroups(tree(entries))
    expect(groups.flatMap(names).slice(3)).toEqual(['./opt/app/a', './opt/app/b', './opt/app/c', './opt/app/d'])
    for (const group of groups) expect(group.tarSizeBytes).toBeLessThanOrEqual(chunkBytes.max)
  })

  it('plans an empty tree as the folders of its root', () => {
    expect(planGroups(tree([])).flatMap(names)).toEqual(['./', './opt/', './opt/app/'])
  })

  it('refuses what cannot be packed', () => {
    const code = (value: string) => expect.objectContaining({ code: value })
    expect(() => planGroups(tree([file('b', 1), file('a', 1)]))).toThrow(code('PAYLOAD_ENTRY'))
    expect(() => planGroups(tree([file('a/b', 1)]))).toThrow(code('PAYLOAD_ENTRY'))
    expect(() => planGroups({ root: '../up', entries: [] })).toThrow(code('PAYLOAD_ENTRY'))
    const link: TreeEntry = { type: 'symlink', path: 'a', linkTarget: '/etc/passwd' }
    expect(() => planGroups(tree([link]))).toThrow(code('PAYLOAD_LINK'))
  })
})
