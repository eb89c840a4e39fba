import { describe, expect, it } from 'vitest'
import { parseRecipe } from '../../../src/recipe/load.ts'
import type { RepositoryFacts } from '../../../src/source/facts.ts'
import { checkReady, planVersion, releasesBefore } from '../../../src/source/preflight.ts'
import { minimalRecipe } from '../recipe/recipe-text.ts'

const { source } = parseRecipe(minimalRecipe, 'release.yaml').recipe
const head = { commit: 'abc1234'.padEnd(40, '0'), tree: 'f'.repeat(40), timeSeconds: 1_790_000_000 }
const ready: RepositoryFacts = {
  places: { root: '/app', gitFolder: '/app/.git', commonFolder: '/app/.git' },
  head,
  branch: 'main',
  dirty: [],
  shallow: false,
  submodules: [],
  hasIdentity: true,
  tags: ['v1.0.0', 'v1.1.0'],
  releases: ['1.0.0', '1.1.0'],
  remote: { kind: 'reached', branchCommit: head.commit, contained: true, tags: ['v1.0.0'] },
}
const wanted = { version: '1.1.1', tag: 'v1.1.1', previous: '1.1.0' }
const snapshot = { version: '1.1.1-git20260921.abc1234', tag: undefined, previous: '1.1.0' }

describe('checkReady', () => {
  it('lets a clean repository on its branch pass', () => {
    expect(() => checkReady(ready, wanted, source)).not.toThrow()
  })

  it.each<[string, Partial<RepositoryFacts>]>([
    ['SOURCE_SHALLOW', { shallow: true }],
    ['SOURCE_SUBMODULE', { submodules: ['lib'] }],
    ['SOURCE_DIRTY', { dirty: ['a.txt'] }],
    ['SOURCE_BRANCH', { branch: 'topic' }],
    ['SOURCE_BRANCH', { branch: undefined }],
    ['VERSION_NOT_HIGHER', { releases: ['1.1.1'] }],
    ['TAG_EXISTS', { tags: ['v1.1.1'] }],
    ['TAG_EXISTS', { remote: { kind: 'reached', branchCommit: head.commit, contained: true, tags: ['v1.1.1'] } }],
    ['SOURCE_IDENTITY', { hasIdentity: false }],
    ['SOURCE_BEHIND', { remote: { kind: 'reached', branchCommit: 'd'.repeat(40), contained: false, tags: [] } }],
  ])('refuses with %s: %j', (code, facts) => {
    expect(() => checkReady({ ...ready, ...facts }, wanted, source)).toThrow(expect.objectContaining({ code }))
  })

  it('lets a release pass without a remote and with one that cannot be reached', () => {
    expect(() => checkReady({ ...ready, remote: { kind: 'none' } }, wanted, source)).not.toThrow()
    expect(() => checkReady({ ...ready, remote: { kind: 'unreachable', reason: '' } }, wanted, source)).not.toThrow()
  })

  it('cuts a snapshot from any branch, but never what no commit has', () => {
    const elsewhere = { ...ready, branch: 'topic', hasIdentity: false, releases: ['9.0.0'] }
    expect(() => checkReady(elsewhere, snapshot, source)).not.toThrow()
    expect(() => checkReady({ ...elsewhere, dirty: ['a'] }, snapshot, source)).toThrow(
      expect.objectContaining({ code: 'SOURCE_DIRTY' }),
    )
  })
})

describe('planVersion', () => {
  const plan = (version: string | undefined, releases: readonly string[], isSnapshot = false) =>
    planVersion({ head, releases }, { version, snapshot: isSnapshot, tagPrefix: 'v' })

  it('takes the last final release as predecessor of a final one, the last of all for a pre-release', () => {
    const releases = ['1.0.0', '1.1.0', '1.2.0-rc.1']
    expect(plan('1.2.0', releases)).toEqual({ version: '1.2.0', tag: 'v1.2.0', previous: '1.1.0' })
    expect(plan('1.2.0-rc.2', releases).previous).toBe('1.2.0-rc.1')
    expect(plan('1.0.0', []).previous).toBeUndefined()
  })

  it('names a snapshot after the next patch release and the commit', () => {
    expect(plan(undefined, ['1.1.4'], true)).toEqual({
      version: '1.1.5-git20260921.abc1234',
      tag: undefined,
      previous: '1.1.4',
    })
    expect(plan('2.0.0', ['1.1.4'], true).version).toBe('2.0.0-git20260921.abc1234')
    expect(plan(undefined, [], true).version).toBe('0.1.0-git20260921.abc1234')
    expect(plan(undefined, ['1.2.0-rc.1'], true).version).toBe('1.2.0-git20260921.abc1234')
  })

  it('refuses a release without a version, or with one that is none', () => {
    expect(() => plan(undefined, [])).toThrow(expect.objectContaining({ code: 'VERSION_MISSING' }))
    expect(() => plan('v1.0.0', [])).toThrow(expect.objectContaining({ code: 'VERSION_INVALID' }))
  })
})

it('knows what an upgrade may come from: nearest first, pre-releases for their like only', () => {
  const releases = ['1.0.0', '1.1.0-rc.1', '1.1.0', '1.2.0-rc.1', '1.3.0']
  expect(releasesBefore('1.2.0', releases)).toEqual(['1.1.0', '1.0.0'])
  expect(releasesBefore('1.2.0-rc.2', releases)).toEqual(['1.2.0-rc.1', '1.1.0', '1.1.0-rc.1', '1.0.0'])
  expect(releasesBefore('1.0.0', releases)).toEqual([])
})
