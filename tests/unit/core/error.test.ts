import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isErrno, printable, ReleaseError, toReleaseError } from '../../../src/core/error.ts'

describe('ReleaseError', () => {
  it('takes exit code, retryability and hint from the catalogue', () => {
    const error = new ReleaseError('LOCKED', 'x is held')
    expect(error).toMatchObject({ exitCode: 5, retryable: true, hint: expect.stringContaining('wait for it') })
  })

  it('lets the place of the error give a better hint', () => {
    expect(new ReleaseError('USAGE', 'x', { hint: 'do y' }).hint).toBe('do y')
  })

  it('takes the teeth out of control characters from outside', () => {
    const error = new ReleaseError('USAGE', 'bad \u001b[31mname\u0007', { hint: '\u009b2J' })
    expect(error.message).toBe('bad \ufffd[31mname\ufffd')
    expect(error.hint).toBe('\ufffd2J')
  })

  it('renders for programs without a stack', () => {
    const cause = new Error('inner \u001b')
    const error = new ReleaseError('EXEC_FAILED', 'outer', { cause, details: { exitCode: 7 } })
    expect(JSON.parse(JSON.stringify({ error })).error).toEqual({
      code: 'EXEC_FAILED',
      message: 'outer',
      hint: error.hint,
      details: { exitCode: 7 },
      retryable: false,
      cause: 'inner \ufffd',
    })
  })
})

describe('toReleaseError', () => {
  it('keeps what is one already', () => {
    const error = new ReleaseError('USAGE', 'x')
    expect(toReleaseError(error)).toBe(error)
  })

  it('keeps errno and path of a system error', () => {
    const caught = thrownBy(() => fs.readFileSync('/nonexistent/file'))
    expect(toReleaseError(caught)).toMatchObject({
      code: 'FILE_IO',
      cause: caught,
      details: { errno: 'ENOENT', path: '/nonexistent/file' },
    })
  })

  it.each(['ENOSPC', 'EDQUOT'])('tells a full disk from other errors: %s', code => {
    const caught = Object.assign(new Error('write'), { code, errno: -28, syscall: 'write' })
    expect(toReleaseError(caught)).toMatchObject({ code: 'FILE_NO_SPACE', retryable: true })
  })

  it('calls anything else a defect of ours', () => {
    expect(toReleaseError(new TypeError('x is undefined')).code).toBe('INTERNAL')
    expect(toReleaseError('a string').code).toBe('INTERNAL')
  })
})

describe('isErrno', () => {
  it('tells by name, not by text', () => {
    const caught = thrownBy(() => fs.readFileSync('/nonexistent'))
    expect(isErrno(caught, 'ENOENT')).toBe(true)
    expect(isErrno(caught, 'EACCES')).toBe(false)
    expect(isErrno(new Error('ENOENT'), 'ENOENT')).toBe(false)
  })
})

describe('printable', () => {
  it('keeps lines, tabs and letters of all scripts', () => {
    expect(printable('a\tb\nä日')).toBe('a\tb\nä日')
  })
})

function thrownBy(run: () => unknown): unknown {
  try {
    run()
  } catch (caught) {
    return caught
  }
  throw new Error('nothing was thrown')
}
