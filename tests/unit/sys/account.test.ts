import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { actingAs, launchAs, lookUpUser, unusedAccount } from '../../../src/sys/account.ts'
import { tryExecute } from '../../../src/sys/exec.ts'
import { tempFolder } from '../../support/temp.ts'

it('leaves a command alone without an account', () => {
  const launch = { argv: ['id'], environment: { A: '1' } } as const
  expect(launchAs(undefined, launch)).toBe(launch)
})

it('gives what still has root’s rights no variable by its own name', () => {
  const account = { uid: 1, gid: 2, groups: [2, 3] }
  const { argv, environment } = launchAs(account, { argv: ['id'], environment: { LD_PRELOAD: 'x', PATH: '/y' } })
  expect(argv.slice(0, 5)).toEqual(['/usr/bin/setpriv', '--reuid=1', '--regid=2', '--groups=2,3', '--'])
  expect(environment).toEqual({ cutover_LD_PRELOAD: 'x', cutover_PATH: '/y' })
})

it('knows no user of a name that looks like an option', () => {
  expect(lookUpUser('--help')).toBeUndefined()
})

describe.skipIf(process.geteuid?.() !== 0)('as root', () => {
  it('runs a command as a user, with its groups and its variables as they are', async () => {
    const account = { uid: 65_000, gid: 65_001, groups: [65_001, 65_002] }
    const value = `it's "quoted" $HOME \`id\` \\\n second line\n`
    const environment = { PATH: '/usr/bin:/bin', VALUE: value }
    const script = 'id -u; id -g; id -G; env | grep -c cutover_; printf %s "$VALUE"; printf x'
    const { stdout } = await tryExecute(['sh', '-c', script], { account, environment })
    expect(stdout).toBe(`65000\n65001\n65001 65002\n0\n${value}x`)
  })

  it('tells a program that is not there from one that fails', async () => {
    const account = unusedAccount()
    const run = tryExecute(['/nonexistent/program'], { account, environment: {} })
    await expect(run).rejects.toMatchObject({ code: 'EXEC_NOT_FOUND' })
  })

  it('does with files what the user may do, and is root again behind it', () => {
    const folder = tempFolder()
    const account = unusedAccount()
    expect(() => actingAs(account, () => fs.writeFileSync(path.join(folder, 'a'), ''))).toThrow('EACCES')
    fs.chmodSync(folder, 0o777)
    actingAs(account, () => fs.writeFileSync(path.join(folder, 'a'), ''))
    expect(fs.statSync(path.join(folder, 'a'))).toMatchObject({ uid: account.uid, gid: account.gid })
    expect([process.geteuid!(), process.getegid!()]).toEqual([0, 0])
  })
})
