import { expect, it } from 'vitest'
import { lockAfterPredecessor, lockBeginning, lockServing } from '../../../src/flow/serve-lock.ts'
import { prefixPaths } from '../../../src/prefix/layout.ts'
import { tempFolder } from '../../support/temp.ts'

const busy = { code: 'SERVE_BUSY' }

it('lets one serve, and nobody begin beside it', async () => {
  const paths = prefixPaths(tempFolder())
  const lock = await lockServing(paths)
  await expect(lockServing(paths)).rejects.toMatchObject(busy)
  lock.release()
  ;(await lockServing(paths)).release()
})

it('passes from one to its successor without a moment in which a third could have it', async () => {
  const paths = prefixPaths(tempFolder())
  const first = await lockServing(paths)
  const beginning = await lockBeginning(paths)
  const second = lockAfterPredecessor(paths)
  first.release()
  const third = lockServing(paths)
  third.catch(() => {})
  const lock = await second
  beginning.release()
  await expect(third).rejects.toMatchObject(busy)
  await expect(lockServing(paths)).rejects.toMatchObject(busy)
  lock.release()
})
