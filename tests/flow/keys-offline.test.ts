import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'
import { releaseExecutable } from '../../src/cli/release-commands.ts'
import type { KeysInitResult } from '../../src/flow/keys-init.ts'
import type { ListedRole } from '../../src/flow/keys-list.ts'
import type { KeysRotateResult } from '../../src/flow/keys-rotate.ts'
import type { RepositoryInitResult } from '../../src/flow/repository-init.ts'
import { openRepository, pinRoot } from '../../src/trust/client.ts'
import { makeRelease } from '../support/made-release.ts'
import type { ToldError } from '../support/operator.ts'
import { tempFolder } from '../support/temp.ts'

/*
 * A vendor who keeps the keys of root and targets on a machine without a network, from the first command on: what is typed here is what
 * the README says. `online` is where releases are made, `offline` the other machine; only files that are named here go between them.
 */

const base = tempFolder()
const at = (...names: readonly string[]) => path.join(base, ...names)
const online = ['--repository', 'repository', '--keys', 'keys'] as const
let fingerprint: string

/** Type a command on a machine. In this process, for there are many. */
async function type(machine: 'online' | 'offline', argv: readonly string[]) {
  const lines: string[] = []
  const stdout = { write: (text: string) => lines.push(...text.split('\n').filter(line => line !== '')) }
  const environment = { PATH: process.env['PATH'], HOME: base }
  const io = { stdout, stderr: { write: () => {} }, environment, cwd: at(machine) }
  const exitCode = await runProgram(releaseExecutable, [...argv, '--json'], io)
  process.exitCode = undefined
  const { result, error } = JSON.parse(lines.at(-1)!) as { result?: unknown; error?: ToldError }
  return { exitCode, result, error }
}

async function succeed(machine: 'online' | 'offline', argv: readonly string[]): Promise<unknown> {
  const { exitCode, result, error } = await type(machine, argv)
  expect({ exitCode, error }).toEqual({ exitCode: 0 })
  return result
}

const release = (...argv: readonly string[]) => succeed('online', argv)

/** What a person is told when it does not work. */
async function refused(...argv: readonly string[]) {
  const { error, exitCode } = await type('online', argv)
  return { ...error, exitCode }
}

function carry(file: string, from: 'online' | 'offline'): void {
  fs.copyFileSync(at(from, file), at(from === 'online' ? 'offline' : 'online', file))
}

/** Carry a payload to the keys of folders, sign there, carry the signatures back and import them. */
async function ceremony(payload: string, folders: readonly string[], ...flags: readonly string[]): Promise<void> {
  carry(payload, 'online')
  for (const folder of folders) {
    await succeed('offline', ['keys', 'sign', payload, '--keys', folder, '-o', `${folder}.sig`])
    carry(`${folder}.sig`, 'offline')
  }
  await release('keys', 'import', payload, ...folders.map(folder => `${folder}.sig`), ...flags)
}

function make(name: string, version: string): void {
  makeRelease({ distFolder: at('online', 'dist'), name, version })
}

/** What a server that pinned the first root finds. */
async function versionsOf(application: string): Promise<readonly string[]> {
  const folder = at('trust')
  const repositoryUrl = `file://${at('online/repository')}`
  await pinRoot({ folder, repositoryUrl, fingerprint })
  const { releases } = await openRepository({ folder, repositoryUrl }).index(application)
  return releases.map(({ version }) => version)
}

async function roles(): Promise<ReadonlyMap<string, ListedRole>> {
  const { roles: listed } = (await release('keys', 'list', ...online)) as { roles: readonly ListedRole[] }
  return new Map(listed.map(role => [role.role, role]))
}

beforeAll(async () => {
  for (const machine of ['online', 'offline']) fs.mkdirSync(at(machine))
  const roleFlags = (...names: readonly string[]) => names.flatMap(name => ['--role', name])
  const initOffline = ['keys', 'init', '--keys', 'safe', ...roleFlags('root', 'targets'), '--export', 'safe.pub']
  await succeed('offline', initOffline)
  carry('safe.pub', 'offline')
  const made = await release('keys', 'init', '--keys', 'keys', ...roleFlags('snapshot', 'timestamp', 'apt'))
  expect((made as KeysInitResult).fingerprint).toBeUndefined()
  // Whoever forgets the ceremony gets no second root.
  expect(await refused('init', 'repository', '--keys', 'keys')).toMatchObject({ code: 'KEY_MISSING' })
  const publicKeys = ['--public', 'safe.pub', '--payload', 'root.payload']
  await release('keys', 'init', '--keys', 'keys', ...roleFlags('snapshot', 'timestamp', 'apt'), ...publicKeys)
  await ceremony('root.payload', ['safe'], '--keys', 'keys')

  const init = ['init', 'repository', '--keys', 'keys', '--name', 'vendor', '--application', 'notes'] as const
  const told = await refused(...init)
  expect(told).toMatchObject({ code: 'KEY_MISSING', exitCode: 1 })
  expect(told.hint).toContain(`release init ${at('online/repository')} --keys ${at('online/keys')} --application notes`)
  const result = (await release(...init, '--payload', 'first.payload')) as RepositoryInitResult
  ;({ fingerprint } = result)
  expect(fs.readdirSync(at('online/repository'))).toEqual([])
  await ceremony('first.payload', ['safe'], ...online)
  // From its first signature for this root on, the other machine signs for no other.
  const trusted = ['offline/safe', 'online/keys'].map(folder =>
    fs.readFileSync(at(folder, 'trusted-root.json'), 'utf8'),
  )
  expect(trusted[0]).toBe(trusted[1])
})

describe('a repository whose root and targets are offline from the beginning', () => {
  it('has only the keys where releases are made that publishing needs', async () => {
    const atHand = [...(await roles()).values()].flatMap(({ role, keys }) =>
      keys[0]?.place === undefined ? [] : [role],
    )
    expect(atHand).toEqual(['snapshot', 'timestamp', 'notes', 'apt'])
    expect(await release('init', 'repository', '--keys', 'keys', '--application', 'notes')).toMatchObject({
      fingerprint,
    })
    expect(fs.readdirSync(at('online/repository'))).toContain('repository.json')
    expect(fs.existsSync(at('online/repository/.cutover/nginx.conf'))).toBe(true)
  })

  it('takes releases of an application that was delegated, and a second one after its ceremony', async () => {
    make('notes', '1.0.0-dev.1')
    await release('upload', '1.0.0-dev.1', ...online)
    expect(await versionsOf('notes')).toEqual(['1.0.0-dev.1'])

    make('ping', '2.0.0-dev.1')
    const { code, hint = '' } = await refused('upload', '2.0.0-dev.1', ...online)
    expect(code).toBe('KEY_MISSING')
    expect(fs.readdirSync(at('online/keys'))).not.toContain('application-ping.json')
    // The hint is the command: it is typed as it stands.
    const [, typed = ''] = /run: release (.*)$/.exec(hint) ?? []
    await release(...typed.replace('FILE', 'ping.payload').split(' '))
    // Others go on publishing while it is signed.
    make('notes', '1.0.0-dev.2')
    await release('upload', '1.0.0-dev.2', ...online)
    await ceremony('ping.payload', ['safe'], ...online)
    await release('upload', '2.0.0-dev.1', ...online)
    expect(await versionsOf('notes')).toEqual(['1.0.0-dev.1', '1.0.0-dev.2'])
    expect(await versionsOf('ping')).toEqual(['2.0.0-dev.1'])
    // What was signed for another state would take back what came between.
    expect(await refused('keys', 'import', 'first.payload', 'safe.sig', ...online)).toMatchObject({
      code: 'TRUST_MISMATCH',
    })
    expect(await refused('keys', 'import', 'ping.payload', 'safe.sig', ...online)).toMatchObject({
      code: 'CEREMONY_OUTDATED',
    })
  })

  it('changes its settings and the key of apt by a ceremony', async () => {
    const change = ['init', 'repository', '--keys', 'keys', '--channels', 'edge,stable'] as const
    expect(await refused(...change)).toMatchObject({ code: 'KEY_MISSING', hint: expect.stringContaining('--payload') })
    await release(...change, '--payload', 'channels.payload')
    await ceremony('channels.payload', ['safe'], ...online)
    expect(fs.readdirSync(at('online/repository/dists')).toSorted()).toEqual(['edge', 'stable'])

    const aptKeys = async () => (await roles()).get('apt')!.keys.map(({ id }) => id)
    const [old = ''] = await aptKeys()
    const signed = () => fs.readFileSync(at('online/repository/dists/edge/InRelease'), 'utf8')
    const before = signed()
    const { added } = (await release(
      'keys',
      'rotate',
      'apt',
      '--payload',
      'apt.payload',
      ...online,
    )) as KeysRotateResult
    expect(signed()).toBe(before)
    await ceremony('apt.payload', ['safe'], ...online)
    await release('keys', 'revoke', old, '--payload', 'revoke.payload', ...online)
    expect(await aptKeys()).toEqual([old, added])
    await ceremony('revoke.payload', ['safe'], ...online)
    expect(await aptKeys()).toEqual([added])
    expect(signed()).not.toBe(before)
  })

  it('gets other keys of targets: trusted beside the old one, signing, then alone', async () => {
    const [old] = (await roles()).get('targets')!.keys
    const spare = ['keys', 'init', '--keys', 'spare', '--role', 'targets', '--export', 'spare.pub']
    await succeed('offline', spare)
    carry('spare.pub', 'offline')
    await release('keys', 'rotate', 'targets', '--public', 'spare.pub', '--payload', 'add.payload', ...online)
    await ceremony('add.payload', ['safe'], ...online)

    // Without the signature of the new key nobody could read the targets once the old one is dropped.
    await release('keys', 'revoke', old!.id, '--payload', 'drop.payload', ...online)
    carry('drop.payload', 'online')
    const signDrop = ['keys', 'sign', 'drop.payload', '--keys', 'safe', '-o', 'drop.sig']
    await succeed('offline', signDrop)
    carry('drop.sig', 'offline')
    const importDrop = ['keys', 'import', 'drop.payload', 'drop.sig', ...online] as const
    const told = await refused(...importDrop)
    expect(told).toMatchObject({ code: 'KEY_MISSING', hint: expect.stringContaining('keys export --role targets') })
    await release('keys', 'export', '--role', 'targets', '-o', 'renew.payload', ...online)
    await ceremony('renew.payload', ['safe', 'spare'], ...online)
    await release(...importDrop)
    const [left, ...more] = (await roles()).get('targets')!.keys
    expect([left!.id === old!.id, more]).toEqual([false, []])
    make('ping', '2.0.0-dev.2')
    await release('upload', '2.0.0-dev.2', ...online)
    expect(await versionsOf('ping')).toEqual(['2.0.0-dev.1', '2.0.0-dev.2'])
  })
})
