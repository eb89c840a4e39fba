import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const script = path.resolve(import.meta.dirname, '../support/pack-folder.ts')

/** Pack in a process of its own; `argv` stands before node. */
function digests(argv: readonly string[], environment: Readonly<Record<string, string>> = {}): string {
  const [file = process.execPath, ...args] = [...argv, process.execPath, script, tempFolder()]
  return execFileSync(file, args, { encoding: 'utf8', env: { PATH: process.env['PATH'], ...environment } })
}

describe('a payload', () => {
  it('is the same under another umask, locale and time zone, in a pool of one thread', () => {
    const other = digests(['/bin/sh', '-c', 'umask 077; exec "$@"', 'sh'], {
      TZ: 'Pacific/Kiritimati',
      LC_ALL: 'tr_TR.UTF-8',
      UV_THREADPOOL_SIZE: '1',
      SOURCE_DATE_EPOCH: '1',
    })
    expect(other).toBe(digests([]))
  })

  it.skipIf(!needTool('taskset'))('is the same on one core', () => {
    expect(digests(['taskset', '--cpu-list', '0'])).toBe(digests([]))
  })
})
