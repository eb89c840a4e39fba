import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compareDebianVersions } from '../../../../src/repository/apt/version-order.ts'

// dpkg itself is asked in tests/conformance/apt-order.test.ts.
const ascending = [
  '0~',
  '0',
  '1.0~~',
  '1.0~rc.1-1',
  '1.0',
  '1.0-1',
  '1.0-1+b1',
  '1.0a',
  '1.0.1',
  '1.2',
  '1.10',
  '1:0.1',
  '2:0',
]

it('orders versions as the manual says', () => {
  expect(ascending.toReversed().sort(compareDebianVersions)).toEqual(ascending)
})

it.each([
  ['1.0', '1.0-0'],
  ['1.0', '0:1.0'],
  ['1.02', '1.2'],
  ['1.0-', '1.0'],
])('takes %s and %s for the same', (a, b) => {
  expect(compareDebianVersions(a, b)).toBe(0)
})

it('compares numbers that no double holds', () => {
  expect(compareDebianVersions('1.90071992547409931', '1.90071992547409930')).toBeGreaterThan(0)
})

it('is an order', () => {
  const version = fc.string({ unit: fc.constantFrom('0', '1', '9', '~', '.', '+', '-', 'a', 'Z'), maxLength: 6 })
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      expect(Math.sign(compareDebianVersions(a, b))).toBe(-Math.sign(compareDebianVersions(b, a)) + 0)
      if (compareDebianVersions(a, b) <= 0 && compareDebianVersions(b, c) <= 0) {
        expect(compareDebianVersions(a, c)).toBeLessThanOrEqual(0)
      }
    }),
  )
})
