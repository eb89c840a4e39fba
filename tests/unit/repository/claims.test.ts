import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { assertUnclaimed } from '../../../src/repository/claims.ts'
import { emptyLedger, type Ledger } from '../../../src/repository/ledger.ts'
import type { ListedRelease, ReleaseIndex } from '../../../src/trust/layout.ts'
import { codeOf } from '../../support/codes.ts'

const wheel = (name: string, project: string, content: string) => ({
  name,
  project,
  sizeBytes: content.length,
  digest: digestOf(content),
})
const release = (version: string, more: Partial<ListedRelease> = {}): ListedRelease => ({
  version,
  commit: 'a'.repeat(40),
  sourceDateEpoch: 1,
  snapshot: false,
  record: { sizeBytes: 1, digest: digestOf(version) },
  debs: [{ package: 'notes', version: `${version}-1`, architecture: 'all' }],
  images: [],
  python: [],
  ...more,
})
const indexOf = (...releases: ListedRelease[]): ReleaseIndex => ({
  schema: 1,
  application: 'notes',
  releases,
  channels: {},
})
const ledgerOf = (packages: readonly string[], projects: readonly string[] = []): Ledger => ({
  ...emptyLedger,
  applications: { weave: { summary: '', releases: 1, heads: {}, packages, projects } },
})

describe('assertUnclaimed', () => {
  it('lets an application publish its own', () => {
    const ledger: Ledger = {
      ...emptyLedger,
      applications: { notes: { ...ledgerOf(['notes']).applications['weave']! } },
    }
    expect(() => assertUnclaimed(release('1.0.1'), indexOf(release('1.0.0')), ledger)).not.toThrow()
  })

  it.each([
    ['a package of another application', release('1.0.0'), indexOf(), ledgerOf(['notes'])],
    [
      'a project of another application, however it is spelled',
      release('1.0.0', { python: [wheel('a.whl', 'Notes_Client', 'x')] }),
      indexOf(),
      ledgerOf([], ['notes-client']),
    ],
    [
      'a package in a version that another release has',
      release('1.0.1', { debs: release('1.0.0').debs }),
      indexOf(release('1.0.0')),
      emptyLedger,
    ],
    [
      'a file of Python with other bytes than that of another release',
      release('1.0.1', { python: [wheel('dep-1.whl', 'dep', 'other')] }),
      indexOf(release('1.0.0', { python: [wheel('dep-1.whl', 'dep', 'bytes')] })),
      emptyLedger,
    ],
  ])('refuses %s', (_, own, index, ledger) => {
    expect(codeOf(() => assertUnclaimed(own, index, ledger))).toBe('REPOSITORY_CONFLICT')
  })

  it.each(['a', 'm', 'z'])('finds the package %s among many', name => {
    const own = release('1.0.0', { debs: [{ package: name, version: '1.0.0-1', architecture: 'all' }] })
    const ledger = ledgerOf(['a', 'b', 'm', 'y', 'z'])
    expect(codeOf(() => assertUnclaimed(own, indexOf(), ledger))).toBe('REPOSITORY_CONFLICT')
  })

  it('lets releases bring the same dependency, and snapshots what they like, for pip sees none of them', () => {
    const python = [wheel('dep-1.whl', 'dep', 'bytes')]
    const index = indexOf(release('1.0.0', { python }))
    expect(() => assertUnclaimed(release('1.0.1', { python }), index, emptyLedger)).not.toThrow()
    const snapshot = release('1.0.2-dev.1', { snapshot: true, python: [wheel('dep-1.whl', 'dep', 'other')] })
    expect(() => assertUnclaimed(snapshot, index, emptyLedger)).not.toThrow()
  })
})
