import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import type { ReleaseRecord } from '../../../src/payload/release-record.ts'
import { normalizedProject, suiteOf, withApplications, withRelease } from '../../../src/repository/catalogue.ts'
import { makeRelease } from '../../support/made-release.ts'
import { tempFolder } from '../../support/temp.ts'

const empty = {
  description: { schema: 1, name: 'vendor', url: 'https://x.example', aptKey: '' },
  applications: [],
} as const
const record = (name: string, version: string, changes: Partial<ReleaseRecord> = {}): ReleaseRecord => ({
  ...makeRelease({ distFolder: tempFolder(), name, version, python: true }),
  ...changes,
})

function withDependency(version: string, content: string): ReleaseRecord {
  const made = record('notes', version, { tag: `v${version}` })
  const name = 'notes_headers-1.4.0-py3-none-any.whl'
  const dependency = { kind: 'python', name, project: 'notes-headers', mediaType: 'application/zip' } as const
  const file = { ...dependency, sizeBytes: content.length, digest: digestOf(content) }
  return { ...made, components: made.components.map(each => ({ ...each, artifacts: [...each.artifacts, file] })) }
}

describe('withRelease', () => {
  it('keeps applications by name and releases by precedence', () => {
    let catalogue = withApplications(empty, ['weave'])
    for (const version of ['1.10.0', '1.9.0', '1.10.0-rc.1'])
      catalogue = withRelease(catalogue, record('notes', version))
    expect(catalogue.applications.map(entry => entry.name)).toEqual(['notes', 'weave'])
    expect(catalogue.applications[0]?.releases.map(release => release.version)).toEqual([
      '1.9.0',
      '1.10.0-rc.1',
      '1.10.0',
    ])
  })

  it('refuses a package that belongs to another application', () => {
    const catalogue = withRelease(empty, record('notes', '1.0.0'))
    const thief = { ...record('notes', '2.0.0'), name: 'votes' }
    expect(() => withRelease(catalogue, thief)).toThrow(expect.objectContaining({ code: 'REPOSITORY_CONFLICT' }))
  })

  it('refuses a second release with the same package version', () => {
    const catalogue = withRelease(empty, record('notes', '1.0.0'))
    const twin = { ...record('notes', '1.0.0'), version: '1.0.1' }
    expect(() => withRelease(catalogue, twin)).toThrow(expect.objectContaining({ code: 'REPOSITORY_CONFLICT' }))
  })

  it('takes a Python dependency that several releases bring, as long as its bytes stay the same', () => {
    const catalogue = withRelease(empty, withDependency('1.0.0', 'the same'))
    expect(withRelease(catalogue, withDependency('1.0.1', 'the same')).applications[0]?.releases).toHaveLength(2)
    expect(() => withRelease(catalogue, withDependency('1.0.1', 'others'))).toThrow(
      expect.objectContaining({ code: 'REPOSITORY_CONFLICT', hint: expect.stringContaining('SOURCE_DATE_EPOCH') }),
    )
  })

  it('lets snapshots bring what they like, for no index of Python names them', () => {
    const catalogue = withRelease(empty, withDependency('1.0.0', 'the same'))
    const { tag: _, ...snapshot } = withDependency('1.0.1-git20260101.abc1234', 'others')
    expect(withRelease(catalogue, snapshot).applications[0]?.releases).toHaveLength(2)
  })

  it('finds the same release once', () => {
    const catalogue = withRelease(empty, record('notes', '1.0.0'))
    expect(withRelease(catalogue, record('notes', '1.0.0')).applications[0]?.releases).toHaveLength(1)
  })
})

describe('suiteOf', () => {
  it.each([
    ['1.0.0', 'v1.0.0', 'stable'],
    ['1.0.0-rc.1', 'v1.0.0-rc.1', 'edge'],
    ['1.0.0', undefined, 'edge'],
  ])('puts %s tagged %s into its suite', (version, tag, suite) => {
    expect(suiteOf(record('notes', version, tag === undefined ? {} : { tag }))).toBe(suite)
  })
})

it.each([
  ['My.Package__Name', 'my-package-name'],
  ['notes', 'notes'],
])('spells the project %s in one way', (name, expected) => {
  expect(normalizedProject(name)).toBe(expected)
})
