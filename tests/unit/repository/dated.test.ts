import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import type { SuiteState } from '../../../src/repository/apt/state.ts'
import { keysOfSnapshot, parseSnapshotId, snapshotId, versionsListed } from '../../../src/repository/dated.ts'
import { emptyLedger } from '../../../src/repository/ledger.ts'
import { codeOf } from '../../support/codes.ts'

const byHash = (suite: string, content: string) => ({
  key: `dists/${suite}/main/binary-all/by-hash/SHA256/${digestOf(content).slice(7)}`,
  digest: digestOf(content),
})

describe('snapshotId', () => {
  it('is a time that is read back as what it is', () => {
    expect(snapshotId(Date.UTC(2026, 10, 21, 7, 45, 9, 999))).toBe('20261121T074509Z')
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }), date => {
        const id = snapshotId(date.getTime())
        expect(parseSnapshotId(id)).toBe(id)
      }),
    )
  })

  it.each(['20260231T000000Z', '20261121T250000Z', '2026-11-21', '../../../etc', '20261121T074509', ''])(
    'refuses %j',
    text => {
      expect(codeOf(() => parseSnapshotId(text))).toBe('SNAPSHOT_ID')
    },
  )
})

describe('versionsListed', () => {
  const index = Buffer.from(
    [
      'Package: notes\nFilename: pool/notes/1.0.0/notes_1.0.0-1_all.deb\n',
      'Package: notes\nFilename: pool/notes/1.1.0-rc.1/notes_1.1.0~rc.1-1_all.deb\n',
      'Package: votes\nFilename: pool/votes/3.0.0/votes_3.0.0-1_all.deb\n',
      'Package: notes-extra\nFilename: pool/notes-extra/4.0.0/notes-extra_4.0.0-1_all.deb\n',
    ].join('\n'),
  )

  it.each([
    ['plain', index],
    ['gzip', gzipSync(index)],
    ['zstd', zstdCompressSync(index)],
  ])('reads the versions of one application: %s', (_form, bytes) => {
    expect([...versionsListed(bytes, 'notes', 'k')]).toEqual(['1.0.0', '1.1.0-rc.1'])
  })

  it('passes over what only other tools read, and refuses what is cut', () => {
    expect(versionsListed(Buffer.from('fd377a585a0000', 'hex'), 'notes', 'k').size).toBe(0)
    expect(codeOf(() => versionsListed(gzipSync(index).subarray(0, 40), 'notes', 'k'))).toBe('REPOSITORY_DAMAGED')
  })
})

describe('keysOfSnapshot', () => {
  it('names its Release files, and the indexes that nothing else names', () => {
    const [current, shared, own] = ['current', 'shared', 'own'].map(content => byHash('stable', content))
    const stable = {
      indexes: { 'main/binary-all/Packages': { generations: [{ '.gz': { sizeBytes: 1, digest: current!.digest } }] } },
    } as unknown as SuiteState
    const snapshot = { id: '20260101T000000Z', files: [current!, shared!, own!] }
    const other = { id: '20260201T000000Z', files: [shared!] }
    const ledger = { ...emptyLedger, suites: { stable }, snapshots: [snapshot, other] }
    expect(keysOfSnapshot(ledger, snapshot)).toEqual([
      'snapshot/20260101T000000Z/dists/stable/Release',
      'snapshot/20260101T000000Z/dists/stable/Release.gpg',
      'snapshot/20260101T000000Z/dists/stable/InRelease',
      own!.key,
    ])
  })
})
