import { describe, expect, it } from 'vitest'
import { FillThreads } from '../../../src/payload/fill-threads.ts'

describe('FillThreads', () => {
  it('start when enough is expected, not for a few megabytes', async () => {
    const threads = new FillThreads()
    for (let count = 0; count < 10; count += 1) threads.expect(1_000_000)
    expect(threads.areStarted).toBe(false)
    threads.expect(10_000_000)
    expect(threads.areStarted).toBe(true)
    await threads.close()
  })
})
