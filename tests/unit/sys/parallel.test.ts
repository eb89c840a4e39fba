import { expect, it } from 'vitest'
import { eachInParallel } from '../../../src/sys/parallel.ts'

const turn = () => new Promise(resolve => setImmediate(resolve))

it('does everything, in order, a few at once', async () => {
  const [begun, most] = [[] as number[], { running: 0, seen: 0 }]
  await eachInParallel([1, 2, 3, 4, 5, 6, 7], { parallelism: 3, stop: () => {} }, async item => {
    begun.push(item)
    most.running += 1
    most.seen = Math.max(most.seen, most.running)
    await turn()
    most.running -= 1
  })
  expect(begun).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect(most).toEqual({ running: 0, seen: 3 })
})

it('tells those under way of the first failure, begins nothing more, and waits for their end', async () => {
  const stop = new AbortController()
  const [begun, ended] = [[] as number[], [] as number[]]
  const all = eachInParallel([1, 2, 3, 4], { parallelism: 2, stop: reason => stop.abort(reason) }, async item => {
    begun.push(item)
    await turn()
    if (item === 1) throw new Error('the first')
    await turn()
    ended.push(item)
    stop.signal.throwIfAborted()
  })
  await expect(all).rejects.toThrow('the first')
  expect([begun, ended]).toEqual([[1, 2], [2]])
})

it('throws also what is no value', async () => {
  const failed = eachInParallel([1], { parallelism: 1, stop: () => {} }, () => Promise.reject(undefined))
  await expect(failed).rejects.toBeUndefined()
})

it('has nothing to do with nothing', async () => {
  await eachInParallel([], { parallelism: 4, stop: () => {} }, () => Promise.reject(new Error('never')))
})
