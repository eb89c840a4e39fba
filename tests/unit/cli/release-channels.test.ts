import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runProgram } from '../../../src/cli/program.ts'
import { releaseExecutable } from '../../../src/cli/release-commands.ts'
import { recordIo } from '../../support/io.ts'

let exitCode: typeof process.exitCode
beforeEach(() => {
  exitCode = process.exitCode
})
afterEach(() => {
  process.exitCode = exitCode
})

async function codeOfRun(...argv: string[]): Promise<unknown> {
  const io = recordIo()
  const code = await runProgram(releaseExecutable, [...argv, '--json'], io)
  const [last] = io.text().stdout.trim().split('\n').slice(-1)
  return { exitCode: code || process.exitCode, error: (JSON.parse(last!) as { error?: { code: string } }).error?.code }
}

describe('the commands of channels', () => {
  it.each([
    ['promote without a channel', ['promote', '1.0.0']],
    ['yank without a reason', ['yank', '1.0.0']],
    ['hold without a version', ['hold']],
    ['prune with a count of none', ['prune', '--keep', '0']],
    ['prune with no count', ['prune', '--keep', 'all']],
    ['snapshot with two orders', ['snapshot', '--list', '--drop', '20260101T000000Z']],
    ['snapshot with one to keep and one to drop', ['snapshot', '20260101T000000Z', '--drop', '20260102T000000Z']],
    ['snapshot with one to keep and a list', ['snapshot', '20260101T000000Z', '--list']],
  ])('refuse %s before anything is looked at', async (_what, argv) => {
    expect(await codeOfRun(...argv)).toEqual({ exitCode: 2, error: 'USAGE' })
  })
})
