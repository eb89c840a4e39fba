import { expect, it } from 'vitest'
import { createReport } from '../../../../src/cli/report/report.ts'
import { ReleaseError } from '../../../../src/core/error.ts'
import { recordIo } from '../../../support/io.ts'

it('writes one object per line, whatever is in it', () => {
  const io = recordIo({ columns: 80 })
  const report = createReport(io, { json: true, quiet: true })
  report.emit({ kind: 'note', message: 'two\nlines \u001b[1m' })
  const error = new ReleaseError('LOCKED', 'held', { details: { pid: 7 } })
  report.emit({ kind: 'run-failed', command: 'install', durationMs: 3, error })
  report.end()
  const { stdout, stderr } = io.text()
  expect(stderr).toBe('')
  const lines = stdout.trimEnd().split('\n')
  expect(lines.map(line => JSON.parse(line))).toEqual([
    { kind: 'note', message: 'two\nlines \u001b[1m' },
    {
      kind: 'run-failed',
      command: 'install',
      durationMs: 3,
      error: { code: 'LOCKED', message: 'held', hint: error.hint, details: { pid: 7 }, retryable: true },
    },
  ])
  expect(stdout).not.toContain('\u001b')
})
