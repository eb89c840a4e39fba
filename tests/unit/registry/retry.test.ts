import { describe, expect, it } from 'vitest'
import { ReleaseError } from '../../../src/core/error.ts'
import { isPassing } from '../../../src/registry/retry.ts'

describe('what may pass', () => {
  const { signal } = new AbortController()
  const failed = (errno: string | undefined) => new ReleaseError('HTTP_FAILED', 'x', { details: { errno } })

  it.each(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', undefined])('is %s', errno => {
    expect(isPassing(failed(errno), signal)).toBe(true)
  })

  it.each([
    'CERT_HAS_EXPIRED',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ENOTFOUND',
    'ECONNREFUSED',
  ])('is not %s', errno => {
    expect(isPassing(failed(errno), signal)).toBe(false)
  })

  it('is nothing any more once the command is to end', () => {
    expect(isPassing(failed('ECONNRESET'), AbortSignal.abort())).toBe(false)
  })

  it('is no error of another kind', () => {
    expect(isPassing(new ReleaseError('REGISTRY_DIGEST', 'x'), signal)).toBe(false)
    expect(isPassing(new Error('x'), signal)).toBe(false)
  })
})
