import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReleaseError } from '../../../src/core/error.ts'
import { isPassingFailure, Perseverance, parseRetryAfter, retryDelayMs } from '../../../src/sys/retry.ts'

describe('the wait before another attempt', () => {
  it('doubles up to a limit', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 20].map(attempt => retryDelayMs(attempt, undefined, 0))
    expect(delays).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000])
  })

  it('is never shorter than what the server asks for, and told of when that is too long', () => {
    const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 0, max: 240_000 }),
        fraction,
        (at, askedMs, random) => {
          const delayMs = retryDelayMs(at, askedMs, random)
          if (askedMs > 120_000) expect(delayMs).toBeUndefined()
          else expect(delayMs).toBeGreaterThanOrEqual(askedMs)
        },
      ),
    )
  })
})

it.each([
  ['0', 0],
  ['120', 120_000],
  ['Fri, 02 Jan 2026 00:00:30 GMT', 30_000],
  ['Friday, 02-Jan-26 00:00:30 GMT', undefined],
  ['Thu, 01 Jan 2026 00:00:00 GMT', 0],
  ['-5', undefined],
  ['1.5', undefined],
  ['soon', undefined],
  ['', undefined],
  [undefined, undefined],
])('Retry-After %j is %j ms', (header, expected) => {
  expect(parseRetryAfter(header, Date.UTC(2026, 0, 2))).toBe(expected)
})

describe('Perseverance', () => {
  const failure = new ReleaseError('HTTP_FAILED', 'cut')
  const begin = (attempts: number) => {
    const waits: number[] = []
    const wait = async (durationMs: number) => void waits.push(durationMs)
    return { waits, perseverance: new Perseverance(attempts, { wait, random: () => 0 }) }
  }

  it('waits longer each time, and gives up', async () => {
    const { waits, perseverance } = begin(4)
    for (let count = 0; count < 3; count += 1) await perseverance.afterFailure(failure, undefined)
    await expect(perseverance.afterFailure(failure, undefined)).rejects.toBe(failure)
    expect(waits).toEqual([250, 500, 1000])
  })

  it('goes on at once, and counts anew, when much has come', async () => {
    const { waits, perseverance } = begin(2)
    for (let count = 0; count < 10; count += 1) {
      perseverance.arrived(1024 * 1024)
      await perseverance.afterFailure(failure, undefined)
    }
    expect(waits).toEqual([])
    await expect(perseverance.afterFailure(failure, undefined)).rejects.toBe(failure)
  })

  it('does not go on for ever with a byte at a time', async () => {
    const { perseverance } = begin(3)
    const drip = async () => {
      for (let count = 0; count < 10; count += 1) {
        perseverance.arrived(1)
        await perseverance.afterFailure(failure, undefined)
      }
    }
    await expect(drip()).rejects.toBe(failure)
  })

  it('waits as long as a server asks, but not for ever', async () => {
    const { waits, perseverance } = begin(5)
    await perseverance.afterFailure(
      new ReleaseError('HTTP_FAILED', 'busy', { details: { retryAfterMs: 7000 } }),
      undefined,
    )
    const longest = new ReleaseError('HTTP_FAILED', 'busy', { details: { retryAfterMs: 1e9 } })
    await expect(perseverance.afterFailure(longest, undefined)).rejects.toBe(longest)
    expect(waits).toEqual([7000])
  })
})

it.each([
  [{ errno: 'ECONNRESET' }, true],
  [{ errno: 'ENOTFOUND' }, false],
  [{ errno: 'ECONNREFUSED' }, false],
  [{ status: 503 }, true],
  [{ status: 403 }, false],
  [{ status: 206 }, false],
  [{}, true],
])('a failure with %o may pass: %s', (details, expected) => {
  expect(isPassingFailure(new ReleaseError('HTTP_FAILED', 'failed', { details }))).toBe(expected)
  expect(isPassingFailure(new ReleaseError('HTTP_SLOW', 'failed', { details }))).toBe(false)
})
