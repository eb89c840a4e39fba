import { describe, expect, it } from 'vitest'
import { threadsFor } from '../../../src/payload/filler.ts'
import type { PlannedGroup } from '../../../src/payload/plan.ts'

describe('threadsFor', () => {
  const group = (tarSizeBytes: number): PlannedGroup => ({ kind: 'whole', members: [], tarSizeBytes })

  it('starts none for a few megabytes, and at most two', () => {
    expect(threadsFor([group(5_000_000)])).toBe(0)
    expect(threadsFor(Array.from({ length: 100 }, () => group(5_000_000)))).toBeLessThanOrEqual(2)
    expect(threadsFor(Array.from({ length: 100 }, () => group(5_000_000)))).toBeGreaterThan(0)
    expect(threadsFor([group(50_000_000)])).toBe(1)
  })
})
