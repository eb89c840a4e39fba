import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it } from 'vitest'
import { lockHolder, lockOwner, takeLock } from '../../../src/sys/lock.ts'
import { codeOfAsync } from '../../support/codes.ts'
import { tempFolder } from '../../support/temp.ts'

const folder = tempFolder()
let count = 0
const place = () => path.join(folder, `${count++}`, 'lock')

it('is held by one at a time, and says by whom', async () => {
  const file = place()
  const lock = await takeLock(file, { command: 'install 1.1.4' })
  expect(lockOwner(file)).toMatchObject({ pid: process.pid, command: 'install 1.1.4' })
  await expect(takeLock(file, { command: 'rollback' })).rejects.toMatchObject({
    code: 'LOCKED',
    message: expect.stringMatching(
      new RegExp(
        `install 1\\.1\\.4 \\(by \\S+, pid ${process.pid} on ${os.hostname()}, since ${new Date().getFullYear()}-`,
      ),
    ),
    details: { pid: process.pid },
  })
  lock.release()
  expect(lockOwner(file)).toBeUndefined()
  ;(await takeLock(file, { command: 'rollback' })).release()
})

it('is held by nobody when its holder was killed', async () => {
  const file = place()
  const lock = await takeLock(file, { command: 'install' })
  expect(lockHolder(file)?.pid).toBe(process.pid)
  const gone = { ...lockOwner(file), process: undefined, pid: spawnSync('true').pid }
  fs.writeFileSync(`${file}.owner`, JSON.stringify(gone))
  expect(lockHolder(file)).toBeUndefined()
  fs.writeFileSync(`${file}.owner`, JSON.stringify({ ...gone, host: 'elsewhere' }))
  expect(lockHolder(file)?.pid).toBe(gone.pid)
  lock.release()
})

it('is not held by a later process that has the number of one which is gone', async () => {
  const file = place()
  using _lock = await takeLock(file, { command: 'install' })
  const owner = lockOwner(file)!
  for (const other of [{ startTicks: '1' }, { bootId: 'before' }]) {
    fs.writeFileSync(`${file}.owner`, JSON.stringify({ ...owner, process: { ...owner.process, ...other } }))
    expect(lockHolder(file)).toBeUndefined()
    await expect(takeLock(file, { command: 'x' })).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining('by another process'),
    })
  }
})

it('can be waited for', async () => {
  const file = place()
  const lock = await takeLock(file, { command: 'first' })
  const second = takeLock(file, { command: 'second', waitMs: 10_000 })
  setImmediate(() => lock.release())
  using held = await second
  expect(lockOwner(file)?.command).toBe('second')
  held.release()
})

it('is given back once: releasing again does not free the next holder’s', async () => {
  const file = place()
  const first = await takeLock(file, { command: 'first' })
  first.release()
  using _second = await takeLock(file, { command: 'second' })
  first.release()
  expect(lockOwner(file)?.command).toBe('second')
  expect(await codeOfAsync(takeLock(file, { command: 'third' }))).toBe('LOCKED')
})

it('dies with a holder that is killed, whatever its record says', async () => {
  const file = place()
  const program = `
    const { takeLock } = await import(${JSON.stringify(new URL('../../../src/sys/lock.ts', import.meta.url).href)})
    await takeLock(${JSON.stringify(file)}, { command: 'holder' })
    console.log('held')
    setInterval(() => {}, 1000)`
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(createInterface({ input: holder.stdout }), 'line')
  expect(await codeOfAsync(takeLock(file, { command: 'other' }))).toBe('LOCKED')

  holder.kill('SIGKILL')
  await once(holder, 'exit')
  expect(lockOwner(file)).toMatchObject({ command: 'holder', pid: holder.pid })
  using _lock = await takeLock(file, { command: 'other' })
  expect(lockOwner(file)?.command).toBe('other')
})

it('does not mind a damaged record of its owner', async () => {
  const file = place()
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(`${file}.owner`, '{"pid":')
  expect(lockOwner(file)).toBeUndefined()
  using _lock = await takeLock(file, { command: 'x' })
  expect(lockOwner(file)?.command).toBe('x')
})

it('says when the place cannot hold a lock', async () => {
  const file = place()
  fs.mkdirSync(file, { recursive: true })
  expect(await codeOfAsync(takeLock(file, { command: 'x' }))).toBe('FILE_IO')
})
