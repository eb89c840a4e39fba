import { describe, expect, it } from 'vitest'
import {
  compareVersions,
  debianVersion,
  isVersion,
  newestVersion,
  parseVersion,
  pythonVersion,
  snapshotVersion,
} from '../../../src/core/version.ts'
import { codeOf } from '../../support/codes.ts'

describe('parseVersion', () => {
  it.each(['1.2.3', '0.0.1', '1.2.0-rc.1', '1.2.3+build.7', '10.20.30-alpha-1.2'])('accepts %s', text => {
    expect(parseVersion(text)).toBe(text)
    expect(isVersion(text)).toBe(true)
  })

  it.each(['v1.2.3', '1.2', ' 1.2.3', '1.2.3 ', '01.2.3', '1.2.3-01', '', 'latest', '1.2.3\n'])('refuses %j', text => {
    expect(codeOf(() => parseVersion(text))).toBe('VERSION_INVALID')
    expect(isVersion(text)).toBe(false)
  })

  it('names the canonical spelling in the hint', () => {
    expect(() => parseVersion('v1.2.3')).toThrow(expect.objectContaining({ hint: expect.stringContaining('1.2.3?') }))
  })
})

describe('debianVersion', () => {
  it.each([
    ['1.2.3', '1.2.3-1'],
    ['1.2.0-rc.1', '1.2.0~rc.1-1'],
    ['1.1.5-git20261120.abc1234', '1.1.5~git20261120.abc1234-1'],
    ['1.2.0-alpha-2.x', '1.2.0~alpha.2.x-1'],
    ['1.2.3+build-7.a', '1.2.3+build.7.a-1'],
  ])('maps %s to %s', (version, expected) => {
    expect(debianVersion(version)).toBe(expected)
  })

  it('takes revision and epoch', () => {
    expect(debianVersion('1.2.3', { revision: '2~bpo12', epoch: 1 })).toBe('1:1.2.3-2~bpo12')
    expect(debianVersion('1.2.3', { epoch: 0 })).toBe('1.2.3-1')
  })
})

describe('pythonVersion', () => {
  it.each([
    ['1.2.3', '1.2.3'],
    ['1.2.0-rc.1', '1.2.0rc1'],
    ['1.2.0-alpha.10', '1.2.0a10'],
    ['1.2.0-beta.0', '1.2.0b0'],
    ['1.1.5-git20261120.abc1234', '1.1.5.dev20261120+gabc1234'],
    ['1.1.5-git20261120.g0123456', '1.1.5.dev20261120+g0123456'],
  ])('writes %s as %s', (version, expected) => {
    expect(pythonVersion(version)).toBe(expected)
  })

  it.each(['1.0.0-nightly.5', '1.0.0-rc', '1.0.0+build', '1.0'])(
    'refuses %s, which Python has no word for',
    version => {
      expect(() => pythonVersion(version)).toThrow(expect.objectContaining({ code: 'VERSION_INVALID' }))
    },
  )
})

describe('order', () => {
  it('puts pre-releases before and build metadata behind', () => {
    const ascending = ['1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-rc.1', '1.0.0', '1.0.0+1', '1.0.1', '1.10.0']
    expect(ascending.toReversed().toSorted(compareVersions)).toEqual(ascending)
  })

  it('chooses the newest, pre-releases only when asked', () => {
    const versions = ['1.2.0', '1.10.0', '2.0.0-rc.1']
    expect(newestVersion(versions, { preReleases: false })).toBe('1.10.0')
    expect(newestVersion(versions, { preReleases: true })).toBe('2.0.0-rc.1')
    expect(newestVersion([], { preReleases: true })).toBeUndefined()
    expect(newestVersion(['1.0.0-rc.1'], { preReleases: false })).toBeUndefined()
  })
})

describe('snapshotVersion', () => {
  const time = Date.UTC(2026, 10, 20, 23, 59) / 1000

  it('names day and commit, in UTC', () => {
    expect(snapshotVersion('1.1.5', time, 'abc1234def')).toBe('1.1.5-git20261120.abc1234')
    const earlier = snapshotVersion('1.1.5', time, 'fff1234', 'second')
    expect(earlier).toMatch(/^1\.1\.5-git20261120\d{6}\.fff1234$/)
    expect(compareVersions(earlier, snapshotVersion('1.1.5', time + 1, 'aaa1234', 'second'))).toBeLessThan(0)
  })

  it('stays a version when the commit has digits only', () => {
    expect(snapshotVersion('1.1.5', time, '0123456789')).toBe('1.1.5-git20261120.g0123456')
  })

  it('sorts before its release', () => {
    expect(compareVersions(snapshotVersion('1.1.5', time, 'abc1234'), '1.1.5')).toBeLessThan(0)
  })
})
