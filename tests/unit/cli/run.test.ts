import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { runCommand } from '../../../src/cli/run.ts'
import { ReleaseError } from '../../../src/core/error.ts'
import { recordIo } from '../../support/io.ts'

describe('runCommand', () => {
  it('ends with 0, or with what the body says', async () => {
    expect(await runCommand(recordIo(), 'status', {}, async () => {})).toBe(0)
    expect(await runCommand(recordIo(), 'status', {}, async () => 4)).toBe(4)
  })

  it('renders what is thrown and ends with its exit code', async () => {
    const io = recordIo()
    const exitCode = await runCommand(io, 'install', {}, async () => {
      throw new ReleaseError('PATH_UNSAFE', 'a/../b leaves', { hint: 'ask its maker' })
    })
    expect(exitCode).toBe(3)
    expect(io.text()).toEqual({ stdout: '', stderr: 'error PATH_UNSAFE: a/../b leaves\nhint: ask its maker\n' })
  })

  it('renders defects as INTERNAL instead of a stack', async () => {
    const io = recordIo()
    const exitCode = await runCommand(io, 'install', { json: true }, async () => {
      throw new TypeError('x is undefined')
    })
    expect(exitCode).toBe(1)
    expect(JSON.parse(io.text().stdout)).toMatchObject({
      kind: 'run-failed',
      command: 'install',
      error: { code: 'INTERNAL' },
    })
  })

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'aborts the flow on %s and says so, whatever the flow made of it',
    async signal => {
      const io = recordIo()
      const exitCode = await runCommand(io, 'cut', { json: true }, async tools => {
        process.emit(signal, signal)
        await setImmediate()
        expect(tools.signal.aborted).toBe(true)
        throw new ReleaseError('EXEC_FAILED', `npm test was ended by ${signal}`)
      })
      expect(exitCode).toBe(1)
      expect(JSON.parse(io.text().stdout).error).toMatchObject({ code: 'INTERRUPTED', details: { signal } })
    },
  )

  it('lets a flow that threw the reason of its signal be told as interrupted', async () => {
    const io = recordIo()
    await runCommand(io, 'cut', {}, async tools => {
      process.emit('SIGTERM', 'SIGTERM')
      tools.signal.throwIfAborted()
    })
    expect(io.text().stderr).toContain('error INTERRUPTED: cut was ended by SIGTERM')
  })

  it('leaves no listener behind', async () => {
    const before = process.listenerCount('SIGTERM')
    await runCommand(recordIo(), 'status', {}, async () => {})
    expect(process.listenerCount('SIGTERM')).toBe(before)
  })
})
