import { expect, it } from 'vitest'
import { isDebianVersion } from '../../../src/core/debian-version.ts'

it.each(['1', '1.0-1', '1:1.0-1', '0:2:3', '1.0~rc.1-0ubuntu1', '1.0+git20260101-1~bpo12+1', '2147483647:1'])(
  'accepts %s',
  version => {
    expect(isDebianVersion(version)).toBe(true)
  },
)

it.each(['', ':1', 'a', 'v1.0', '1 0', '1.0-', '1:', '2147483648:1', '1.0_1', '1.0\n', '-1', '1,0'])(
  'refuses %j',
  version => {
    expect(isDebianVersion(version)).toBe(false)
  },
)
