import { expect, it } from 'vitest'
import { satisfies } from '../../../src/core/version-range.ts'

it('knows ranges of interpreters, nightly ones included', () => {
  expect(satisfies('24.15.0', '>=24.15')).toBe(true)
  expect(satisfies('24.14.1', '>=24.15')).toBe(false)
  expect(satisfies('27.0.0-nightly.1', '>=24.15')).toBe(true)
})
