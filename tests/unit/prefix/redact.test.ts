import { expect, it } from 'vitest'
import { redactor } from '../../../src/prefix/redact.ts'

it('takes every secret out of a text, and leaves it alone without any', () => {
  expect(redactor({ A: 'x1', B: 'y2' })('x1 and y2 and x1')).toBe('*** and *** and ***')
  expect(redactor({ A: '' })('text')).toBe('text')
})

it('takes out the longer of two secrets first, or else its rest would stay', () => {
  expect(redactor({ A: 'pass', B: 'password' })('password')).toBe('***')
})

it('takes out the lines of a secret, for output comes line by line', () => {
  const key = '-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\n{\n-----END KEY-----\n'
  const redact = redactor({ KEY: key })
  expect(redact('loaded MIIEpAIBAAKCAQEA')).toBe('loaded ***')
  expect(redact(key.trim())).toBe('***')
  expect(redact('{"level":30}')).toBe('{"level":30}')
})

it.each([
  ['JSON', JSON.stringify('p"ss\nword')],
  ['an address', encodeURIComponent('p"ss\nword')],
  ['base64', Buffer.from('p"ss\nword').toString('base64')],
  ['base64url', Buffer.from('p"ss\nword').toString('base64url')],
])('takes it out as %s writes it', (_, form) => {
  const shown = redactor({ A: 'p"ss\nword' })(`before ${form} after`)
  expect(shown).toContain('***')
  expect(shown).not.toContain('word')
  expect(shown).not.toContain(form)
})
