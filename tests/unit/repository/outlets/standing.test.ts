import { expect, it } from 'vitest'
import type { ReleaseRecord } from '../../../../src/payload/release-record.ts'
import { isProvisional, movedVersions, standingOf } from '../../../../src/repository/outlets/standing.ts'
import type { ListedRelease, ReleaseIndex } from '../../../../src/trust/layout.ts'

const channels = ['edge', 'beta', 'stable']
const listed = (version: string, yanked?: string) =>
  ({ version, ...(yanked === undefined ? {} : { yanked: { reason: yanked, atMs: 0 } }) }) as ListedRelease
const before: ReleaseIndex = {
  schema: 1,
  application: 'notes',
  releases: [listed('1.0.0'), listed('1.1.0'), listed('1.2.0-rc.1')],
  channels: { edge: ['1.0.0', '1.1.0', '1.2.0-rc.1'], beta: ['1.0.0', '1.1.0'], stable: ['1.0.0'] },
}
const after: ReleaseIndex = { ...before, releases: [listed('1.0.0', 'it loses notes'), ...before.releases.slice(1)] }

it('tells which channels a release heads, and whether it is the latest', () => {
  expect(standingOf(before, '1.0.0', channels)).toEqual({
    heads: ['stable'],
    vacated: [],
    isStable: true,
    isLatest: true,
  })
  expect(standingOf(before, '1.1.0', channels)).toEqual({
    heads: ['beta'],
    vacated: [],
    isStable: false,
    isLatest: false,
  })
  expect(standingOf(before, '9.9.9', channels)).toEqual({ heads: [], vacated: [], isStable: false, isLatest: false })
})

it('tells what a withdrawn release has left', () => {
  expect(standingOf(after, '1.0.0', channels)).toEqual({
    heads: [],
    vacated: ['stable'],
    isStable: false,
    isLatest: false,
    yanked: { reason: 'it loses notes' },
  })
  expect(movedVersions(before, after, channels)).toEqual(['1.0.0'])
  expect(movedVersions(after, after, channels)).toEqual([])
})

it.each([
  ['1.0.0', before, false],
  ['1.1.0', before, true],
  ['1.0.0', after, true],
  ['1.2.0-rc.1', { ...before, channels: { ...before.channels, stable: ['1.2.0-rc.1'] } }, true],
])('%s is not final: case %#', (version, index, expected) => {
  const record = { version } as ReleaseRecord
  expect(isProvisional({ record, standing: standingOf(index as ReleaseIndex, version, channels) })).toBe(expected)
})
