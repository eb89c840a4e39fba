import { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Executable, runProgram } from '../../../src/cli/program.ts'
import { ReleaseError } from '../../../src/core/error.ts'
import { toolVersion } from '../../../src/core/tool.ts'
import { recordIo } from '../../support/io.ts'

const loaded: string[] = []
const seen: unknown[] = []

const executable: Executable = {
  name: 'cutover',
  description: 'A program for tests.',
  commands: {
    install: {
      summary: 'install a version',
      load: async () => {
        loaded.push('install')
        return new Command('install')
          .argument('<prefix>')
          .option('--version <version>', 'the version')
          .action(function (this: Command, prefix: string) {
            seen.push({ prefix, ...this.optsWithGlobals() })
          })
      },
    },
    gate: {
      summary: 'look at the gate',
      load: async () => {
        loaded.push('gate')
        return new Command('gate').addCommand(
          new Command('hold').action(function (this: Command) {
            seen.push(this.optsWithGlobals())
          }),
        )
      },
    },
    broken: {
      summary: 'cannot be loaded',
      load: async () => {
        throw new ReleaseError('LOCKED', 'somebody is there')
      },
    },
  },
}

let exitCode: typeof process.exitCode
beforeEach(() => {
  exitCode = process.exitCode
  loaded.length = 0
  seen.length = 0
})
afterEach(() => {
  process.exitCode = exitCode
})

async function run(...argv: string[]) {
  const io = recordIo()
  return { exitCode: await runProgram(executable, argv, io), ...io.text() }
}

describe('runProgram', () => {
  it('tells its version without loading a command', async () => {
    expect(await run('--version')).toEqual({ exitCode: 0, stdout: `${toolVersion}\n`, stderr: '' })
    expect(loaded).toEqual([])
  })

  it('lists every command without loading one', async () => {
    const { exitCode, stdout } = await run('--help')
    expect(exitCode).toBe(0)
    for (const { summary } of Object.values(executable.commands)) expect(stdout).toContain(summary)
    expect(loaded).toEqual([])
  })

  it('loads the chosen command alone, whose --version is its own', async () => {
    expect(await run('install', '/srv/app', '--version', '1.1.4')).toMatchObject({ exitCode: 0 })
    expect(loaded).toEqual(['install'])
    expect(seen).toEqual([{ prefix: '/srv/app', version: '1.1.4' }])
  })

  it.each([
    ['before the command', ['--json', 'install', 'p']],
    ['behind it', ['install', 'p', '--json']],
    ['in a command of a command', ['gate', 'hold', '--json']],
  ])('takes --json %s', async (_where, argv) => {
    await run(...argv)
    expect(seen).toEqual([expect.objectContaining({ json: true })])
  })

  it.each([
    ['help', 'install'],
    ['install', '--help'],
  ])('explains a command: %s %s', async (...argv) => {
    const { exitCode, stdout } = await run(...argv)
    expect(exitCode).toBe(0)
    expect(stdout).toContain('--version <version>')
    expect(stdout).toContain('--quiet')
  })

  it('shows the commands when none is named, as a wrong usage', async () => {
    const { exitCode, stdout, stderr } = await run()
    expect(exitCode).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain('install a version')
  })

  it('guesses what was meant', async () => {
    const { exitCode, stderr } = await run('instal')
    expect(exitCode).toBe(2)
    expect(stderr).toBe("error USAGE: unknown command 'instal'\nhint: Did you mean install?\n")
  })

  it.each([
    ['an unknown option', ['install', 'p', '--wersion', '1'], '--version'],
    ['a missing argument', ['install'], 'run cutover install --help'],
    ['too many arguments', ['install', 'p', 'q'], 'run cutover install --help'],
  ])('tells %s as USAGE, to programs as JSON', async (_what, argv, hint) => {
    const { exitCode, stdout, stderr } = await run(...argv, '--json')
    expect(exitCode).toBe(2)
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toMatchObject({
      kind: 'run-failed',
      error: { code: 'USAGE', hint: expect.stringContaining(hint) },
    })
  })

  it('does not take --json behind -- for itself', async () => {
    const { stdout, stderr } = await run('install', '--', 'p', '--json')
    expect(stdout).toBe('')
    expect(stderr).toContain('error USAGE')
  })

  it('ends with the exit code of what goes wrong before a command runs', async () => {
    expect(await run('broken')).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('error LOCKED') })
  })
})
