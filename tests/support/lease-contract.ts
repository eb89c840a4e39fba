import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, describe, expect, it } from 'vitest'
import type { TargetWriter } from '../../src/repository/target.ts'
import type { LeaseTimes } from '../../src/repository/targets/lease.ts'

/** A target whose leases are taken by processes that die and stand still. */
export interface LeaseUnderTest {
  readonly place: string
  readonly environment: Readonly<Record<string, string>>
  readonly open: (times: LeaseTimes) => TargetWriter
}

const program = path.join(import.meta.dirname, 'lease-holder.ts')
const running = new Set<() => void>()
// Here, for a hook that is registered while a test runs is never called.
afterAll(() => {
  for (const end of running) end()
})

/**
 * Hold a kind of target to its promise that a lease dies with its holder, and never is in two hands. `start` makes a place for one test.
 *
 * With `isKernels` it is the kernel that knows who is alive: nothing ends by itself.
 */
export function leaseContract(
  kind: string,
  start: () => Promise<LeaseUnderTest>,
  { isKernels }: { readonly isKernels: boolean },
): void {
  describe(`a lease of a process: ${kind}`, () => {
    const holder = async ({ place, environment }: LeaseUnderTest, times: LeaseTimes) => {
      const child = spawn(process.execPath, [program, place, JSON.stringify(times)], {
        env: { ...process.env, ...environment },
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      running.add(() => child.kill('SIGKILL'))
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      const answer = async () => (await lines.next()).value as string
      const ask = (line: string) => {
        child.stdin.write(`${line}\n`)
        return answer()
      }
      expect(await answer()).toBe('held')
      return { child, ask, answer }
    }

    it('ends some time after it was killed, not before', async () => {
      const tested = await start()
      const times = { holdMs: 1000, renewMs: 200, takeoverMs: 2500, pollMs: 50 }
      const { child } = await holder(tested, times)
      await expect(tested.open(times).lease('the next', { waitMs: 0 })).rejects.toMatchObject({
        code: 'LOCKED',
        details: { pid: child.pid },
      })
      child.kill('SIGKILL')
      await once(child, 'exit')
      const next = await tested.open(times).lease('the next', { waitMs: 30_000 })
      next.assertHeld()
      await next.release()
    })

    it('is renewed as long as its holder works', async () => {
      const tested = await start()
      const times = { holdMs: 1500, renewMs: 100, takeoverMs: 3000, pollMs: 50 }
      const { ask, child } = await holder(tested, times)
      await expect(tested.open(times).lease('the next', { waitMs: isKernels ? 200 : 4000 })).rejects.toMatchObject({
        code: 'LOCKED',
      })
      expect(await ask('look')).toBe('held')
      expect(await ask('release')).toBe(isKernels ? 'held' : 'REPOSITORY_CHANGED')
      await (await tested.open(times).lease('the next', { waitMs: 0 })).release()
      child.kill('SIGKILL')
    })

    // Who stands still keeps a lock of the kernel, and nobody else gets it.
    if (isKernels) return
    it('is not that of a holder any more who stood still for too long', async () => {
      const tested = await start()
      const times = { holdMs: 1000, renewMs: 200, takeoverMs: 2500, pollMs: 50 }
      const { child, ask } = await holder(tested, times)
      child.kill('SIGSTOP')
      const next = await tested.open(times).lease('the next', { waitMs: 30_000 })
      child.kill('SIGCONT')
      expect(await ask('look')).toBe('REPOSITORY_CHANGED')
      // What it does on its way out takes nothing from the new holder.
      expect(await ask('release')).toBe('REPOSITORY_CHANGED')
      next.assertHeld()
      await expect(tested.open(times).lease('the third', { waitMs: 0 })).rejects.toMatchObject({ code: 'LOCKED' })
      await next.release()
      child.kill('SIGKILL')
    })
  })
}
