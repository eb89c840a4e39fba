import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { pingRepository } from '../support/ping-app.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const release = path.resolve(import.meta.dirname, '../../src/bin/release.ts')
const nobody = 65_534

/** A machine, as far as a build could notice. */
interface Machine {
  readonly umask: string
  readonly environment: Readonly<Record<string, string>>
  /** What stands before the command: another clock, another user. */
  readonly wrapper: readonly string[]
  readonly uid: number
}

const here: Machine = {
  umask: '022',
  environment: { TZ: 'UTC', LC_ALL: 'C.UTF-8', USER: 'ada' },
  wrapper: [],
  uid: process.getuid!(),
}
const isRoot = process.getuid!() === 0
/** This repository may be where only root can read. */
const mayReadUs = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'] as const

const elsewhere: Machine = {
  umask: '077',
  environment: {
    TZ: 'Asia/Kathmandu',
    LC_ALL: 'tr_TR.UTF-8',
    LANG: 'tr_TR.UTF-8',
    USER: 'nobody',
    NODE_ENV: 'production',
    SOURCE_DATE_EPOCH: '1',
    DONT_FAKE_MONOTONIC: '1',
  },
  wrapper: [
    // Only root can become somebody else; others differ in everything but the user.
    ...(isRoot ? ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', ...mayReadUs] : []),
    ...['faketime', '-f', '+400d'],
  ],
  uid: isRoot ? nobody : process.getuid!(),
}

/** Cut in a clone of its own and list every file of the release with its digest. */
function cutOn(machine: Machine, options: { readonly clone: string; readonly origin: string }): string {
  const home = tempFolder()
  const temporary = tempFolder()
  execFileSync('git', ['clone', '--quiet', '--no-hardlinks', options.origin, options.clone])
  // Another user may not read the original, and need not.
  execFileSync('git', ['remote', 'remove', 'origin'], { cwd: options.clone })
  for (const folder of [home, temporary, options.clone]) execFileSync('chown', ['-R', String(machine.uid), folder])
  const outer = path.dirname(options.clone)
  for (let folder = outer; folder.startsWith('/tmp/'); folder = path.dirname(folder)) fs.chmodSync(folder, 0o755)
  const environment = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    TMPDIR: temporary,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a@b.c',
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a@b.c',
    ...machine.environment,
  }
  const argv = [...machine.wrapper, process.execPath, release, 'cut', '1.0.0', '--quiet']
  execFileSync('sh', ['-c', `umask ${machine.umask}; exec "$@"`, 'sh', ...argv], {
    cwd: options.clone,
    env: environment,
  })
  const digests = execFileSync('sh', ['-c', 'find . -type f | LC_ALL=C sort | xargs sha256sum'], {
    cwd: path.join(options.clone, 'dist/1.0.0'),
    encoding: 'utf8',
  })
  return digests
}

it.skipIf(!needTool('faketime', 'setpriv'))(
  'the same commit cut under another clock, time zone, umask, locale, user and path gives the same bytes',
  () => {
    const origin = pingRepository({ files: { 'docs/ünïcode.md': 'x\n' } }).folder
    fs.chmodSync(origin, 0o755)
    const first = cutOn(here, { clone: path.join(tempFolder(), 'a'), origin })
    const second = cutOn(elsewhere, { clone: path.join(tempFolder(), 'another path/with a space'), origin })
    expect(first.split('\n').length).toBeGreaterThan(10)
    expect(second).toBe(first)
  },
)
