import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isLicenceExpression, parseLicence } from '../../../src/evidence/licence.ts'

it.each([
  'MIT OR Apache-2.0',
  '(MIT AND (ISC OR BSD-3-Clause)) OR GPL-2.0-or-later WITH Classpath-exception-2.0',
  'Apache-2.0+',
  'LicenseRef-ours AND DocumentRef-x:LicenseRef-theirs',
])('takes %s for an expression', text => {
  expect(isLicenceExpression(text)).toBe(true)
  expect(parseLicence(text)).toHaveProperty('expression', text)
})

it.each(['', 'MIT OR', 'OR MIT', '(MIT', 'MIT)', '()', 'MIT Apache-2.0', 'Mine', 'MIT or ISC', 'MIT WITH', 'MIT/ISC'])(
  'takes %j for none',
  text => {
    expect(isLicenceExpression(text)).toBe(false)
  },
)

it('takes a text for a licence only when it is short', () => {
  expect(parseLicence(' BSD ')).toHaveProperty('name', 'BSD')
  expect(parseLicence('Permission is hereby granted\nfree of charge')).toBeUndefined()
  expect(parseLicence(undefined)).toBeUndefined()
})

it('says yes or no to any text', () => {
  const words = fc.constantFrom('MIT', 'ISC', 'AND', 'OR', 'WITH', '(', ')', 'x')
  fc.assert(
    fc.property(fc.array(words, { maxLength: 30 }), tokens => {
      expect(typeof isLicenceExpression(tokens.join(' '))).toBe('boolean')
    }),
  )
})
