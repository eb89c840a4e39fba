import { describe, expect, it } from 'vitest'
import { ServingProcess } from '../../../src/flow/serving.ts'
import type { ControlClient } from '../../../src/gate/control/client.ts'
import type { ControlRequest, ControlResult, ServeStatus } from '../../../src/gate/control/protocol.ts'
import type { NodeRecipe } from '../../../src/recipe/schema.ts'

const good: ControlResult = { ok: true, evidence: 'status 200' }
const bad: ControlResult = { ok: false, evidence: 'status 503', isAnswer: true }
const silent: ControlResult = { ok: false, evidence: 'ECONNREFUSED' }

/** A serving process whose probes come out as told, the last one for ever; each takes a hundred milliseconds of its own clock. */
function serving(results: readonly ControlResult[], restarts: readonly number[] = [0]) {
  const asked: ControlRequest['kind'][] = []
  let nowMs = 0
  let probes = 0
  const client: ControlClient = {
    request: ({ kind }) => {
      asked.push(kind)
      const status = {
        services: [{ restarts: restarts[Math.min(probes, restarts.length - 1)]! }],
      } as unknown as ServeStatus
      if (kind !== 'probe') return Promise.resolve({ ok: true, status })
      nowMs += 100
      const result = results[Math.min(probes, results.length - 1)]!
      probes += 1
      return Promise.resolve({ ok: true, status, result })
    },
  }
  const process = new ServingProcess(client, { nowMs: () => nowMs, elapsedMs: () => nowMs })
  return { process, asked, probes: () => probes }
}

const health = (more: Partial<NodeRecipe['health']> = {}) => ({
  interval: 1,
  timeout: 100,
  successes: 2,
  failures: 2,
  startup: 0,
  deadline: 1000,
  watch: 500,
  ...more,
})

describe('waiting for health', () => {
  it('wants it as often in a row as the recipe says', async () => {
    const { process, probes } = serving([silent, good, bad, good, good])
    expect(await process.awaitHealth(health())).toEqual(good)
    expect(probes()).toBe(5)
  })

  it('does not let requests wait for the pause between two good answers', async () => {
    expect(await serving([good]).process.awaitHealth(health({ interval: 3_600_000 }))).toEqual(good)
  })

  it('ends at the deadline, with what was seen last', async () => {
    const verdict = await serving([bad]).process.awaitHealth(health())
    expect(verdict).toMatchObject({ ok: false, evidence: 'not healthy within 1000 ms: status 503' })
  })

  it('gives up sooner on a version that says itself that it is not healthy, where the recipe has no patience with that', async () => {
    const { process, probes } = serving([silent, silent, bad])
    const verdict = await process.awaitHealth(health({ patience: 200 }))
    expect(verdict).toMatchObject({ ok: false, evidence: expect.stringContaining('200 ms after its first answer') })
    expect(probes()).toBe(5)
    const starting = serving([silent])
    await starting.process.awaitHealth(health({ patience: 200 }))
    expect(starting.probes()).toBe(10)
  })

  it('gives up on what ends again and again', async () => {
    const { process, probes } = serving([silent], [0, 1, 2, 3])
    expect((await process.awaitHealth(health())).ok).toBe(false)
    expect(probes()).toBe(4)
  })

  it('asks nothing before the time that a start takes', async () => {
    const { process, asked } = serving([good])
    const waiting = process.awaitHealth(health({ startup: 20 }))
    await Promise.resolve()
    expect(asked).toEqual(['status'])
    await waiting
    expect(asked).toEqual(['status', 'probe', 'probe'])
  })
})

describe('the watch', () => {
  it('takes as many bad answers in a row as the recipe says', async () => {
    expect(await serving([bad, good, bad, good, good]).process.watch(health())).toEqual(good)
    expect(await serving([good, bad, bad]).process.watch(health())).toEqual(bad)
    expect(await serving([bad, good]).process.watch(health({ failures: 1 }))).toEqual(bad)
  })

  it('ends with a good answer only', async () => {
    const { process, probes } = serving([good, good, good, good, bad, good])
    expect(await process.watch(health())).toEqual(good)
    expect(probes()).toBe(6)
  })

  it('does not forgive a service that ended', async () => {
    expect(await serving([good], [0, 1]).process.watch(health())).toMatchObject({ ok: false })
  })
})
