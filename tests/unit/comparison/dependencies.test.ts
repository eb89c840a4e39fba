import { describe, expect, it } from 'vitest'
import { changedDependencies, changedPackages, reasonOfDependency } from '../../../src/comparison/dependencies.ts'
import type { EntryChange } from '../../../src/comparison/manifests.ts'
import { digestOf } from '../../../src/core/digest.ts'

const file = (path: string) => ({
  type: 'file' as const,
  path,
  mode: 0o644,
  sizeBytes: 1,
  digest: digestOf(path),
  tarOffset: 512,
  firstSegment: 0,
  lastSegment: 0,
})
const added = (path: string): EntryChange => ({ kind: 'added', path, rebuilt: file(path) })
const removed = (path: string): EntryChange => ({ kind: 'removed', path, released: file(path) })
const content = (path: string): EntryChange => ({
  kind: 'content',
  path,
  pair: { released: file(path), rebuilt: file(path) },
})

describe('another version of a dependency', () => {
  it('of npm explains all files of its folder, and not those of the dependencies that it brings', () => {
    const inner = 'node_modules/a/node_modules/@s/b'
    const changes = [
      content('node_modules/a/package.json'),
      content('node_modules/a/x.js'),
      content(`${inner}/package.json`),
      content('server.js'),
    ]
    expect(changedPackages(changes)).toEqual(['node_modules/a/package.json', `${inner}/package.json`])
    const texts = new Map([
      ['node_modules/a/package.json', { released: '{"version":"1.0.0"}', rebuilt: '{"version":"1.0.1"}' }],
      [`${inner}/package.json`, { released: '{"version":"2.0.0"}', rebuilt: '{"version":"2.1.0"}' }],
    ])
    const dependencies = changedDependencies(changes, texts)
    expect(reasonOfDependency('node_modules/a/x.js', dependencies)).toContain(
      'npm dependency a is 1.0.0 in the release and 1.0.1 now',
    )
    expect(reasonOfDependency(`${inner}/y.js`, dependencies)).toContain('@s/b is 2.0.0')
    expect(reasonOfDependency('server.js', dependencies)).toBe('')
    expect(reasonOfDependency('node_modules/ab/x.js', dependencies)).toBe('')
  })

  it('of Python is in the name of its folder', () => {
    const changes = [
      removed('lib/requests-2.31.0.dist-info/METADATA'),
      added('lib/requests-2.32.0.dist-info/METADATA'),
      added('lib/idna-3.1.dist-info/RECORD'),
    ]
    const dependencies = changedDependencies(changes, new Map())
    expect(reasonOfDependency('lib/requests/api.py', dependencies)).toContain(
      'requests is 2.31.0 in the release and 2.32.0 now',
    )
    expect(reasonOfDependency('lib/requests-2.31.0.dist-info/METADATA', dependencies)).toContain('2.32.0 now')
    expect(reasonOfDependency('lib/idna-3.1.dist-info/RECORD', dependencies)).toContain('idna is not in the release')
  })

  it('is not made up where package.json is none, or says the same', () => {
    const changes = [content('node_modules/a/package.json')]
    const texts = (released: string, rebuilt: string) =>
      new Map([['node_modules/a/package.json', { released, rebuilt }]])
    expect(changedDependencies(changes, texts('{', '[]'))).toEqual([])
    expect(changedDependencies(changes, texts('{"version":"1","x":1}', '{"version":"1"}'))).toEqual([])
    expect(changedDependencies([removed('node_modules/a/package.json')], new Map())[0]?.why).toContain(
      'in the release alone',
    )
  })
})
