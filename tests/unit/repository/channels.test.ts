import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareVersions } from '../../../src/core/version.ts'
import {
  channelDocument,
  channelsOf,
  channelsUpTo,
  defaultChannels,
  headOf,
  held,
  offered,
  promoted,
  unyanked,
  withListed,
  withoutReleases,
  yanked,
} from '../../../src/repository/channels.ts'
import type { ReleaseIndex } from '../../../src/trust/layout.ts'
import { emptyIndex } from '../../../src/trust/release-index.ts'
import { codeOf } from '../../support/codes.ts'
import { anyIndex, channels, indexOf, listed } from '../../support/made-index.ts'

const index = indexOf({
  '1.9.0': ['edge', 'beta', 'stable'],
  '1.10.0': ['edge', 'beta', 'stable'],
  '1.11.0-rc.1': ['edge', 'beta'],
  '1.11.0-git20260101.abcdef1': ['edge'],
})
const withdrawal = { reason: 'loses data', atMs: 7 }
const stable = { channel: 'stable', channels }
const heads = (of: ReleaseIndex) => channels.map(channel => headOf(of, channel)?.version)
const anyVersionOf = (of: ReleaseIndex) => fc.constantFrom(...of.releases.map(release => release.version))
const anyRelease = anyIndex
  .filter(each => each.releases.length > 0)
  .chain(each => fc.tuple(fc.constant(each), anyVersionOf(each), fc.constantFrom(...channels)))
const anyPromotion = anyRelease.filter(([each, version, channel]) => {
  const release = each.releases.find(candidate => candidate.version === version)
  return release?.yanked === undefined && !(release?.snapshot && channel === 'stable')
})

describe('offered', () => {
  it('lists what a channel has in order of precedence, without what is yanked', () => {
    expect(offered(yanked(index, '1.9.0', withdrawal), 'edge')).toEqual([
      '1.10.0',
      '1.11.0-git20260101.abcdef1',
      '1.11.0-rc.1',
    ])
  })

  it('is empty for a channel that has nothing, whatever its name', () => {
    expect(['nightly', 'constructor'].map(channel => offered(index, channel))).toEqual([[], []])
  })
})

describe('defaultChannels', () => {
  it.each([
    ['1.0.0', false, ['edge', 'beta', 'stable']],
    ['1.0.0-rc.1', false, ['edge', 'beta']],
    ['1.0.0-git20260101.abcdef1', true, ['edge']],
  ])('sends %s to its channels', (version, snapshot, expected) => {
    expect(defaultChannels({ version, snapshot }, channels)).toEqual(expected)
  })

  it('keeps what is no release out of an only channel, which is the most stable one too', () => {
    expect(defaultChannels({ version: '1.0.0', snapshot: false }, ['main'])).toEqual(['main'])
    expect(defaultChannels({ version: '1.0.0-rc.1', snapshot: false }, ['main'])).toEqual([])
    expect(defaultChannels({ version: '1.0.0-git20260101.abcdef1', snapshot: true }, ['main'])).toEqual([])
  })
})

describe('channelsUpTo', () => {
  it('has the channel and the less stable ones', () => {
    expect(channelsUpTo({ channel: 'beta', channels })).toEqual(['edge', 'beta'])
    expect(codeOf(() => channelsUpTo({ channel: 'nightly', channels }))).toBe('CHANNEL_UNKNOWN')
  })
})

describe('withListed', () => {
  it('takes another record of a release, and leaves it in its channels, yanked and held', () => {
    const before = held(yanked(index, '1.10.0', withdrawal), '1.10.0', true)
    const after = withListed(before, listed('1.10.0', { commit: 'f'.repeat(40) }), [])
    expect(after.channels).toEqual(before.channels)
    expect(after.releases.find(({ version }) => version === '1.10.0')).toMatchObject({
      commit: 'f'.repeat(40),
      yanked: withdrawal,
      held: true,
    })
  })

  it('is the same in whatever order releases come, and when one comes twice', () => {
    const any = fc.shuffledSubarray(['1.9.0', '1.10.0', '2.0.0-rc.1', '2.0.0'], { minLength: 4 })
    const list = (versions: readonly string[]) =>
      versions.reduce((each, version) => withListed(each, listed(version), ['edge']), emptyIndex('notes'))
    fc.assert(
      fc.property(any, fc.nat(3), (versions, again) => {
        expect(list([...versions, versions[again]!])).toEqual(list(['1.9.0', '1.10.0', '2.0.0-rc.1', '2.0.0']))
      }),
    )
  })
})

describe('promoted', () => {
  it('offers a release in a channel beside what it has', () => {
    const { index: after, before, left } = promoted(index, '1.11.0-rc.1', stable)
    expect(heads(after)).toEqual(['1.11.0-rc.1', '1.11.0-rc.1', '1.11.0-rc.1'])
    expect({ before, left }).toEqual({ before: '1.10.0', left: [] })
  })

  it('rolls a channel back to an older release: newer ones leave it, and no other channel changes', () => {
    const { index: after, before, left } = promoted(index, '1.9.0', { channel: 'beta', channels })
    expect(heads(after)).toEqual(['1.11.0-rc.1', '1.9.0', '1.10.0'])
    expect({ before, left }).toEqual({ before: '1.11.0-rc.1', left: ['1.10.0', '1.11.0-rc.1'] })
  })

  it('takes yanked newer releases out as well, for they would return when they are unyanked', () => {
    const { index: after } = promoted(
      yanked(withListed(index, listed('2.0.0'), channels), '2.0.0', withdrawal),
      '1.9.0',
      stable,
    )
    expect(headOf(unyanked(after, '2.0.0'), 'stable')?.version).toBe('1.9.0')
  })

  it.each([
    ['RELEASE_UNKNOWN', '1.9.1', stable],
    ['CHANNEL_UNKNOWN', '1.9.0', { channel: 'nightly', channels }],
    ['RELEASE_YANKED', '1.10.0', stable],
    ['CHANNEL_SNAPSHOT', '1.11.0-git20260101.abcdef1', stable],
  ])('refuses with %s', (code, version, target) => {
    expect(codeOf(() => promoted(yanked(index, '1.10.0', withdrawal), version, target))).toBe(code)
  })

  it('names the versions next to one that is not there', () => {
    expect(() => promoted(index, '1.9.1', stable)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('1.9.0, 1.10.0') }),
    )
  })

  it('makes the release the head, and once more changes nothing', () => {
    fc.assert(
      fc.property(anyPromotion, ([each, version, channel]) => {
        const { index: after } = promoted(each, version, { channel, channels })
        expect(headOf(after, channel)?.version).toBe(version)
        expect(promoted(after, version, { channel, channels }).index).toBe(after)
      }),
    )
  })

  it('returns to the former head after a rollback', () => {
    fc.assert(
      fc.property(anyPromotion, ([each, version, channel]) => {
        const { index: after, before } = promoted(each, version, { channel, channels })
        fc.pre(before !== undefined && compareVersions(before, version) > 0)
        expect(headOf(promoted(after, before!, { channel, channels }).index, channel)?.version).toBe(before)
      }),
    )
  })
})

describe('yanked and unyanked', () => {
  it('let every channel offer the release before, and then the same as at first', () => {
    const after = yanked(index, '1.10.0', withdrawal)
    expect(heads(after)).toEqual(['1.11.0-rc.1', '1.11.0-rc.1', '1.9.0'])
    expect(channelsOf(after, '1.10.0')).toEqual(['beta', 'edge', 'stable'])
    expect(unyanked(after, '1.10.0')).toEqual(index)
  })

  it('change nothing the second time, and restore whatever was', () => {
    fc.assert(
      fc.property(anyRelease, ([each, version]) => {
        const before = unyanked(each, version)
        const after = yanked(before, version, withdrawal)
        expect(yanked(after, version, { ...withdrawal, atMs: 8 })).toBe(after)
        expect(channels.flatMap(channel => offered(after, channel))).not.toContain(version)
        expect(unyanked(after, version)).toEqual(before)
        expect(unyanked(before, version)).toBe(before)
      }),
    )
  })

  it('take another reason', () => {
    const after = yanked(yanked(index, '1.9.0', withdrawal), '1.9.0', { reason: 'worse than thought', atMs: 9 })
    expect(after.releases[0]?.yanked).toEqual({ reason: 'worse than thought', atMs: 9 })
  })

  it('refuse a version that is not there', () => {
    expect(codeOf(() => yanked(index, '3.0.0', withdrawal))).toBe('RELEASE_UNKNOWN')
    expect(codeOf(() => unyanked(index, '3.0.0'))).toBe('RELEASE_UNKNOWN')
  })
})

describe('held', () => {
  it('marks a release once, and lets it be', () => {
    const after = held(index, '1.9.0', true)
    expect(after.releases[0]?.held).toBe(true)
    expect(held(after, '1.9.0', true)).toBe(after)
    expect(held(after, '1.9.0', false)).toEqual(index)
    expect(codeOf(() => held(index, '3.0.0', true))).toBe('RELEASE_UNKNOWN')
  })
})

describe('withoutReleases', () => {
  it('takes releases off the list and out of channels; a channel without any is gone', () => {
    const after = withoutReleases(index, new Set(['1.9.0', '1.10.0', '7.0.0']))
    expect(after.releases.map(release => release.version)).toEqual(['1.11.0-git20260101.abcdef1', '1.11.0-rc.1'])
    expect(Object.keys(after.channels)).toEqual(['beta', 'edge'])
    expect(withoutReleases(after, new Set(['1.9.0']))).toBe(after)
  })
})

describe('channelDocument', () => {
  it('names the head with the key of its record', () => {
    const { digest, sizeBytes } = listed('1.10.0').record
    const key = `targets/notes/1.10.0/${digest.slice(7)}.release.json`
    expect(channelDocument(index, 'stable')).toEqual({
      schema: 1,
      application: 'notes',
      channel: 'stable',
      release: { version: '1.10.0', record: { key, digest, sizeBytes } },
    })
  })

  it('names no release when the channel offers none', () => {
    expect(channelDocument(emptyIndex('notes'), 'stable')).toEqual({
      schema: 1,
      application: 'notes',
      channel: 'stable',
    })
  })
})
