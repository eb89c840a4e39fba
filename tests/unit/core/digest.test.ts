import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Digester, digestOf, hexOf, isDigest, parseDigest } from '../../../src/core/digest.ts'
import { codeOf } from '../../support/codes.ts'

const empty = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

it('digests bytes and text alike', () => {
  expect(digestOf('')).toBe(empty)
  expect(digestOf(Buffer.from('ä'))).toBe(digestOf('ä'))
  expect(hexOf(digestOf(''))).toBe(empty.slice(7))
})

it.each([
  '',
  'sha256:',
  empty.toUpperCase(),
  `${empty}0`,
  empty.slice(0, -1),
  `sha512:${empty.slice(7)}`,
  `${empty}\n`,
])('refuses %j', text => {
  expect(codeOf(() => parseDigest(text))).toBe('DIGEST_INVALID')
  expect(isDigest(text)).toBe(false)
})

it('comes to the same piece by piece, and counts', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), pieces => {
      const digester = new Digester()
      for (const piece of pieces) digester.update(piece)
      const whole = Buffer.concat(pieces)
      expect(digester.sizeBytes).toBe(whole.length)
      expect(digester.digest()).toBe(digestOf(whole))
    }),
  )
})
