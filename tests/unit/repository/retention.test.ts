import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { headOf, held, promoted, withoutReleases, yanked } from '../../../src/repository/channels.ts'
import { prunable, type RetentionOptions } from '../../../src/repository/retention.ts'
import type { ReleaseIndex } from '../../../src/trust/layout.ts'
import { anyIndex, channels, indexOf } from '../../support/made-index.ts'

const all = ['edge', 'beta', 'stable']
const index = indexOf({
  '1.0.0': all,
  '1.1.0': all,
  '1.2.0': all,
  '1.3.0-rc.1': ['edge', 'beta'],
  '1.3.0-rc.2': ['edge', 'beta'],
})
const removed = (of: ReleaseIndex, options: RetentionOptions) =>
  prunable(of, options)
    .filter(({ decision }) => decision === 'remove')
    .map(({ version }) => version)

describe('prunable', () => {
  it('keeps the newest of each channel, and tells why', () => {
    expect(prunable(index, { keep: 1 })).toEqual([
      { version: '1.0.0', decision: 'remove', because: 'older than the newest 1 of beta, edge, stable' },
      { version: '1.1.0', decision: 'remove', because: 'older than the newest 1 of beta, edge, stable' },
      { version: '1.2.0', decision: 'keep', because: 'offered by stable' },
      { version: '1.3.0-rc.1', decision: 'remove', because: 'older than the newest 1 of beta, edge' },
      { version: '1.3.0-rc.2', decision: 'keep', because: 'offered by beta, edge' },
    ])
    expect(removed(index, { keep: 2 })).toEqual(['1.0.0'])
    expect(removed(index, { keep: 9 })).toEqual([])
  })

  it('keeps what is held and what something else needs', () => {
    const needed = new Map([['1.1.0', 'the snapshot 20260101T000000Z has it']])
    const decisions = prunable(held(index, '1.0.0', true), { keep: 1, needed })
    expect(decisions.slice(0, 2)).toEqual([
      { version: '1.0.0', decision: 'keep', because: 'held' },
      { version: '1.1.0', decision: 'keep', because: 'the snapshot 20260101T000000Z has it' },
    ])
  })

  it('lets a yanked release take nobody’s place, and keeps it as long as its neighbours', () => {
    const withdrawn = yanked(index, '1.2.0', { reason: 'broken', atMs: 1 })
    expect(removed(withdrawn, { keep: 1 })).toEqual(['1.0.0', '1.3.0-rc.1'])
    expect(removed(yanked(index, '1.0.0', { reason: 'broken', atMs: 1 }), { keep: 2 })).toEqual(['1.0.0'])
  })

  it('judges what left all channels beside all releases', () => {
    const { index: rolledBack } = promoted(indexOf({ '1.0.0': ['edge'], '1.1.0': ['edge'] }), '1.0.0', {
      channel: 'edge',
      channels,
    })
    expect(prunable(rolledBack, { keep: 1 })[1]).toEqual({
      version: '1.1.0',
      decision: 'keep',
      because: 'among the newest 1 of all',
    })
    const older = indexOf({ '1.0.0': [], '1.1.0': ['edge'] })
    expect(prunable(older, { keep: 1 })[0]).toMatchObject({
      because: 'in no channel, and older than the newest 1 of all',
    })
  })

  it('never removes a head or a held release, and finds nothing once it was followed', () => {
    fc.assert(
      fc.property(anyIndex, fc.integer({ min: 1, max: 4 }), (each, keep) => {
        const going = removed(each, { keep })
        for (const channel of channels) expect(going).not.toContain(headOf(each, channel)?.version)
        for (const release of each.releases) if (release.held) expect(going).not.toContain(release.version)
        const after = withoutReleases(each, new Set(going))
        expect(removed(after, { keep })).toEqual([])
        expect(channels.map(channel => headOf(after, channel))).toEqual(channels.map(channel => headOf(each, channel)))
      }),
    )
  })

  it('removes less the more is kept', () => {
    fc.assert(
      fc.property(anyIndex, fc.integer({ min: 1, max: 4 }), (each, keep) => {
        expect(removed(each, { keep })).toEqual(expect.arrayContaining([...removed(each, { keep: keep + 1 })]))
      }),
    )
  })
})
