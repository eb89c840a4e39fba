import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { commandText, runCommands } from '../../../src/build/commands.ts'
import { tempFolder } from '../../support/temp.ts'

function options() {
  const lines: string[] = []
  const checkout = tempFolder()
  return {
    lines,
    checkout,
    environment: { PATH: '/usr/bin:/bin', GREETING: 'hello' },
    signal: new AbortController().signal,
    onLine: (_: string, line: string) => void lines.push(line),
  }
}

const command = (run: string | string[]) => ({ run, environment: {}, timeout: 10_000 })

describe('runCommands', () => {
  it('runs lists as they are and texts by the shell, in the environment that is given, with umask 022', async () => {
    const given = options()
    const again = { ...command('echo "$GREETING $EXTRA"; umask'), environment: { EXTRA: 'you' } }
    await runCommands([command(['echo', '$GREETING']), again, command('echo ${HOME-none} > out')], given)
    expect(given.lines).toEqual(['$GREETING', 'hello you', '0022'])
    expect(fs.readFileSync(`${given.checkout}/out`, 'utf8')).toBe('none\n')
  })

  it('stops at the first that fails and shows its last lines', async () => {
    const given = options()
    const failing = runCommands([command('echo one; echo broken >&2; exit 3'), command('echo never')], given)
    await expect(failing).rejects.toMatchObject({
      code: 'BUILD_COMMAND',
      message: expect.stringContaining('broken'),
      details: { exitCode: 3 },
    })
    expect(given.lines).not.toContain('never')
  })

  it('tells a missing program and one that hangs from one that fails', async () => {
    await expect(runCommands([command(['no-such-program'])], options())).rejects.toMatchObject({
      code: 'EXEC_NOT_FOUND',
    })
    const slow = { ...command(['sleep', '60']), timeout: 50 }
    await expect(runCommands([slow], options())).rejects.toMatchObject({ code: 'EXEC_TIMEOUT' })
  })
})

describe('commandText', () => {
  it('writes a command as a person would', () => {
    expect(commandText(command(['npm', 'run', 'a b']))).toBe("npm run 'a b'")
    expect(commandText(command('make all\n'))).toBe('make all')
  })
})
