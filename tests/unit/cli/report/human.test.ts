import { describe, expect, it } from 'vitest'
import type { GlobalOptions } from '../../../../src/cli/io.ts'
import { humanReport } from '../../../../src/cli/report/human.ts'
import { ReleaseError } from '../../../../src/core/error.ts'
import type { Event } from '../../../../src/core/event.ts'
import { recordIo } from '../../../support/io.ts'

const failure = new ReleaseError('EXEC_FAILED', 'npm test ended with exit code 1\nline 24\nline 25', {
  hint: 'run npm test',
})

function render(
  events: readonly (Event | { readonly afterMs: number })[],
  options: GlobalOptions = {},
  io = recordIo(),
): { readonly stdout: string; readonly stderr: string } {
  let nowMs = 0
  const report = humanReport(io, options, { elapsedMs: () => nowMs })
  for (const event of events) {
    if ('afterMs' in event) nowMs += event.afterMs
    else report.emit(event)
  }
  report.end()
  return io.text()
}

const output = (line: string): Event => ({ kind: 'output', step: 'tests', stream: 'stdout', line })
const progress = (done: number): Event => ({
  kind: 'progress',
  step: 'fetch',
  what: 'segments',
  unit: 'bytes',
  done,
  total: 10 * 1024 * 1024,
})

const run: readonly Event[] = [
  { kind: 'run-started', command: 'cut', subject: 'notes 1.1.4', steps: ['preflight', 'tests'] },
  { kind: 'step-started', step: 'preflight' },
  { kind: 'step-done', step: 'preflight', durationMs: 23, summary: 'clean' },
  { kind: 'step-skipped', step: 'tests', code: 'NO_TESTS', reason: 'the recipe has none' },
  { kind: 'warning', code: 'REMOTE', message: 'no remote' },
  { kind: 'table', title: 'Release', columns: ['what', 'size'], rows: [['deb', '1.4 KiB']] },
  { kind: 'run-done', command: 'cut', changed: true, durationMs: 1234, message: 'notes 1.1.4 is cut' },
]

describe('humanReport', () => {
  it('tells what happens on stderr and what came of it on stdout', () => {
    expect(render(run)).toEqual({
      stderr: [
        'cut notes 1.1.4',
        '✓ preflight  clean  23 ms',
        '- tests      the recipe has none',
        'warning REMOTE: no remote',
        '',
      ].join('\n'),
      stdout: ['Release', 'what     size', 'deb   1.4 KiB', 'notes 1.1.4 is cut  (1.2 s)', ''].join('\n'),
    })
  })

  it('names steps that are skipped for one reason on one line', () => {
    const skipped = (step: string, reason: string): Event => ({ kind: 'step-skipped', step, code: 'IDLE', reason })
    const { stderr } = render([
      { kind: 'run-started', command: 'install', subject: 'notes', steps: ['resolve'] },
      skipped('hold', 'nothing serves'),
      skipped('drain', 'nothing serves'),
      skipped('fetch', 'it is there'),
      { kind: 'step-done', step: 'switch', durationMs: 1 },
      skipped('watch', 'nothing serves'),
    ])
    const lines = [
      '- hold, drain  nothing serves',
      '- fetch    it is there',
      '✓ switch   1 ms',
      '- watch    nothing serves',
    ]
    expect(stderr.split('\n').slice(1, -1)).toEqual(lines)
  })

  it('keeps a summary on its line', () => {
    const { stderr } = render([{ kind: 'step-done', step: 'build', durationMs: 5, summary: 'mkdir a\n  ln -s b' }])
    expect(stderr).toBe('✓ build  mkdir a ln -s b  5 ms\n')
  })

  it('leaves warnings and errors with --quiet', () => {
    const { stdout, stderr } = render([...run, { kind: 'run-failed', command: 'cut', durationMs: 1, error: failure }], {
      quiet: true,
    })
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^warning REMOTE: no remote\nerror EXEC_FAILED: /)
  })

  it('shows the last 20 lines of a step that fails, once', () => {
    const lines = Array.from({ length: 25 }, (_, index) => output(`line ${index + 1}`))
    const { stderr } = render([
      { kind: 'step-started', step: 'tests' },
      ...lines,
      { kind: 'step-failed', step: 'tests', durationMs: 5, error: failure },
      { kind: 'run-failed', command: 'cut', durationMs: 5, error: failure },
    ])
    expect(stderr.split('\n').filter(line => line.includes('line '))).toEqual(
      Array.from({ length: 20 }, (_, index) => `  │ line ${index + 6}`),
    )
    expect(stderr).toMatch(/error EXEC_FAILED: npm test ended with exit code 1\nhint: run npm test\n$/)
  })

  it('keeps the whole message when no output was shown', () => {
    const { stderr } = render([{ kind: 'run-failed', command: 'cut', durationMs: 5, error: failure }])
    expect(stderr).toContain('exit code 1\nline 24\nline 25\nhint: run npm test')
  })

  it('keeps the output of a step that succeeds to itself, unless --verbose', () => {
    const events: readonly Event[] = [
      { kind: 'step-started', step: 'tests' },
      output('12 passed'),
      { kind: 'step-done', step: 'tests', durationMs: 5 },
    ]
    expect(render(events).stderr).not.toContain('12 passed')
    expect(render(events, { verbose: true }).stderr).toContain('  │ 12 passed\n')
  })

  it('leaves out the colours of commands, and takes the teeth out of other control characters', () => {
    const { stderr } = render([{ kind: 'step-started', step: 'tests' }, output('\u001b[31mred\u001b[0m\u0007')], {
      verbose: true,
    })
    expect(stderr).toBe('  │ red\ufffd\n')
  })

  it('writes a line of progress every 5 seconds where the output is no terminal', () => {
    const mib = 1024 * 1024
    const { stderr } = render([
      { kind: 'step-started', step: 'fetch' },
      progress(0),
      { afterMs: 4999 },
      progress(4 * mib),
      { afterMs: 1 },
      progress(5 * mib),
      { afterMs: 1 },
      progress(6 * mib),
    ])
    expect(stderr).toBe('· fetch  segments 5.0 MiB of 10.0 MiB · 50 % · 1.0 MiB/s · 5.0 s left\n')
  })
})

describe('on a terminal', () => {
  const erase = '\r\u001b[2K'

  it('redraws one line, at most ten times a second, and removes it', () => {
    const { stderr } = render(
      [
        { kind: 'step-started', step: 'fetch' },
        progress(0),
        { afterMs: 50 },
        progress(1024),
        { afterMs: 50 },
        progress(2048),
      ],
      {},
      recordIo({ columns: 80, environment: { NO_COLOR: '1' } }),
    )
    expect(stderr.split(erase)).toEqual([
      '· fetch',
      '· fetch  segments 0 B of 10.0 MiB · 0 %',
      '· fetch  segments 2.0 KiB of 10.0 MiB · 0 %',
      '',
    ])
  })

  it('cuts the line to the width, for one that wraps could not be erased', () => {
    const { stderr } = render(
      [{ kind: 'step-started', step: 'fetch' }, progress(0)],
      {},
      recordIo({ columns: 20, environment: { NO_COLOR: '1' } }),
    )
    expect(stderr.split(erase)[1]).toBe('· fetch  segments …')
  })

  it('colours', () => {
    const done: readonly Event[] = [{ kind: 'step-done', step: 'x', durationMs: 1 }]
    expect(render(done, {}, recordIo({ columns: 80 })).stderr).toContain('\u001b[32m✓\u001b[39m')
  })

  it.each([{ NO_COLOR: '1' }, { TERM: 'dumb' }])('does not colour with %j', environment => {
    const done: readonly Event[] = [{ kind: 'step-done', step: 'x', durationMs: 1 }]
    expect(render(done, {}, recordIo({ columns: 80, environment })).stderr).toBe('✓ x  1 ms\n')
  })
})
