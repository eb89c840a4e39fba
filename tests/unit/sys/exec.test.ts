import { expect, describe as group, it } from 'vitest'
import { describe, execute, tryExecute } from '../../../src/sys/exec.ts'
import { codeOfAsync } from '../../support/codes.ts'
import { tempFolder } from '../../support/temp.ts'

const folder = tempFolder()
const shell = (text: string) => ['sh', '-c', text] as const

group('execute', () => {
  it('hands back what was printed', async () => {
    expect(await execute(shell('echo out; echo err >&2'))).toEqual({ stdout: 'out', stderr: 'err', exitCode: 0 })
  })

  it('fails with the command, its exit code and its last lines', async () => {
    await expect(execute(shell('seq 1 30; exit 7'))).rejects.toMatchObject({
      code: 'EXEC_FAILED',
      message: expect.stringMatching(/ended with exit code 7\n23\n24\n25\n26\n27\n28\n29\n30$/),
      details: { exitCode: 7 },
    })
  })

  it.each([undefined, 0o027])('tells what is not installed, umask %s', async umask => {
    const running = execute(['no-such-command-here'], umask === undefined ? {} : { umask })
    expect(await codeOfAsync(running)).toBe('EXEC_NOT_FOUND')
  })

  it('ends what takes too long', async () => {
    expect(await codeOfAsync(execute(['sleep', '60'], { timeoutMs: 50 }))).toBe('EXEC_TIMEOUT')
  })

  it('tells that a signal ended it', async () => {
    await expect(execute(shell('kill -9 $$'))).rejects.toMatchObject({
      code: 'EXEC_FAILED',
      details: { signal: 'SIGKILL' },
    })
  })

  it('ends it when it is no longer wanted', async () => {
    const controller = new AbortController()
    const running = execute(['sleep', '60'], { signal: controller.signal })
    controller.abort()
    expect(await codeOfAsync(running)).toBe('EXEC_FAILED')
  })

  it('gives it exactly the environment, folder, umask and input that are named', async () => {
    const { stdout } = await execute(shell('env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD=; pwd; umask; cat'), {
      environment: { ONLY: 'this', PATH: process.env['PATH'] ?? '' },
      cwd: folder,
      umask: 0o027,
      input: 'typed',
    })
    expect(stdout.split('\n').toSorted()).toEqual(
      ['ONLY=this', `PATH=${process.env['PATH']}`, folder, '0027', 'typed'].toSorted(),
    )
  })

  it('tells every line as it comes', async () => {
    const lines: string[] = []
    await execute(shell('echo one; echo two >&2; printf three'), {
      onLine: (stream, line) => void lines.push(`${stream} ${line}`),
    })
    expect(lines.toSorted()).toEqual(['stderr two', 'stdout one', 'stdout three'])
  })
})

group('tryExecute', () => {
  it('leaves the exit code to the caller', async () => {
    expect(await tryExecute(shell('exit 3'))).toMatchObject({ exitCode: 3 })
  })
})

it('describe quotes what a shell would take apart', () => {
  expect(describe(['git', 'commit', '-m', "it's $HOME", ''])).toBe("git commit -m 'it'\\''s $HOME' ''")
})
