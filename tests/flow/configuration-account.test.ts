import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { ReleaseError } from '../../src/core/error.ts'
import { install } from '../../src/flow/install.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { probeRelease, readServedRelease } from '../../src/flow/serve-release.ts'
import { verify } from '../../src/flow/verify.ts'
import { readIdentity } from '../../src/prefix/identity.ts'
import { releasePaths } from '../../src/prefix/layout.ts'
import { lookUpUser } from '../../src/sys/account.ts'
import { findIsolation } from '../../src/sys/isolation.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { type ToyInstallation, type ToyRelease, toyInstallation } from '../support/toy-release.ts'

const isRoot = process.geteuid?.() === 0
const nobody = lookUpUser('nobody')

describe.skipIf(!isRoot || nobody === undefined)('installed by root, run as a user', () => {
  it('keeps releases root’s, gives what is shared to the user, and runs everything else as it', async () => {
    const toy = reachableToy()
    const setup = [
      { run: 'id -u > made/uid; mkdir made/deep; touch made/deep/file; chmod 4777 made/deep/file; umask > made/umask' },
      { run: 'rm -f version.txt || true; mv version.txt gone || true; echo changed > version.txt || true' },
      { run: 'touch "$shared/from-setup" || true; touch .cutover/planted || true; mv .cutover away || true' },
    ]
    const node = {
      user: 'nobody',
      setup,
      shared: ['data/deep'],
      files: [
        { path: 'top.ini', template: 'ini.in' },
        { path: 'data/deep/inner.ini', template: 'ini.in', mode: '0600' },
      ],
      config: [{ path: 'release.ini', template: 'ini.in' }],
      secrets: [{ name: 'KEY', as: 'file' }],
      migrations: [
        {
          name: 'look',
          phase: 'expand',
          run: 'id -un > "$shared/data/deep/whoami"; cat top.ini release.ini "$shared/top.ini" "$KEY_FILE" > /dev/null 2>&1 || cat release.ini "$shared/top.ini" "$KEY_FILE" > /dev/null; touch written 2> /dev/null && exit 9; test ! -r "$shared/secrets.json"',
        },
      ],
    }
    await put(toy, { version: '1.0.0', node, files: { 'ini.in': 'a=1\n', 'made/.keep': '' } })
    const { root } = releasePaths(toy.paths, '1.0.0')
    const at = (...names: string[]) => path.join(toy.paths.shared, ...names)

    const setupUid = Number(fs.readFileSync(path.join(root, 'made/uid'), 'utf8'))
    expect([0, nobody!.uid]).not.toContain(setupUid)
    expect(fs.readFileSync(path.join(root, 'made/umask'), 'utf8').trim()).toMatch(/^0?022$/)
    expect(fs.readFileSync(path.join(root, 'version.txt'), 'utf8')).toBe('1.0.0')
    expect(
      entries(root).filter(({ stat }) => stat.uid !== 0 || (!stat.isSymbolicLink() && stat.mode & 0o6022)),
    ).toEqual([])
    expect(fs.statSync(root).mode & 0o7777).toBe(0o755)
    expect(fs.statSync(path.join(root, 'made')).mode & 0o7777).toBe(0o755)
    expect(fs.existsSync(path.join(root, '.cutover/planted'))).toBe(false)
    expect(fs.existsSync(at('from-setup'))).toBe(false)

    expect(fs.readFileSync(at('data/deep/whoami'), 'utf8')).toBe('nobody\n')
    for (const name of ['data', 'data/deep', 'data/deep/inner.ini', 'top.ini'])
      expect(fs.statSync(at(name)).uid).toBe(nobody!.uid)
    expect(fs.statSync(at('data/deep/inner.ini')).mode & 0o7777).toBe(0o600)
    for (const name of ['', 'secrets.json', '.secrets']) expect(fs.statSync(at(name)).uid).toBe(0)
    await verify({ prefix: toy.paths.root, offline: true }, recordedTools())
  })

  it('is led nowhere by links that the application has put among what is shared', async () => {
    const toy = reachableToy()
    const files = (name: string) => [{ path: `data/${name}/app.ini`, template: 'ini.in' }]
    await put(toy, { version: '1.0.0', node: { user: 'nobody', files: files('a') }, files: { 'ini.in': 'a\n' } })
    const target = path.join(toy.dist, 'root-only')
    fs.mkdirSync(target, { mode: 0o755 })
    const plant = ['ln', '-s', target, path.join(toy.paths.shared, 'data/b')]
    execFileSync('setpriv', ['--reuid=nobody', '--regid=nogroup', '--clear-groups', '--', ...plant])
    const error = await failure(toy, {
      version: '1.1.0',
      node: { user: 'nobody', files: files('b') },
      files: { 'ini.in': 'b\n' },
    })
    expect(error).toMatchObject({ code: 'FILE_IO' })
    expect(fs.readdirSync(target)).toEqual([])
  })

  it('gives to the user what was root’s while the application ran as root, and takes nothing from a third', async () => {
    const toy = reachableToy()
    await put(toy, { version: '1.0.0', node: { shared: ['data'] } })
    fs.writeFileSync(path.join(toy.paths.shared, 'data/old.db'), '')
    await put(toy, { version: '1.1.0', node: { shared: ['data'], user: 'nobody' } })
    expect(fs.statSync(path.join(toy.paths.shared, 'data/old.db')).uid).toBe(nobody!.uid)
    fs.chownSync(path.join(toy.paths.shared, 'data'), 12_345, 12_345)
    const error = await failure(toy, { version: '1.2.0', node: { shared: ['data'], user: 'nobody' } })
    expect(error.code).toBe('SHARED_OWNER')
  })

  it('refuses a user that the machine does not have, and one who cannot reach the prefix, before anything happens', async () => {
    const toy = toyInstallation()
    const unknown = await failure(toy, { version: '1.0.0', node: { user: 'no-such-user' } })
    expect(unknown.code).toBe('ACCOUNT_UNKNOWN')
    const group = await failure(toy, { version: '1.0.1', node: { user: 'nobody', group: 'no-such-group' } })
    expect(group.code).toBe('ACCOUNT_UNKNOWN')
    // The folders of tests are closed to others.
    const closed = await failure(toy, { version: '1.0.2', node: { user: 'nobody' } })
    expect(closed.code).toBe('ACCOUNT_DENIED')
    expect(fs.readdirSync(toy.paths.releases)).toEqual([])
  })

  it('asks for health as the user, and shows no secret that it is told', async () => {
    const toy = reachableToy()
    const command = { run: 'id -u; echo "$TOKEN"', environment: { TOKEN: '${KEY}' } }
    await put(toy, { version: '1.0.0', node: { user: 'nobody', secrets: [{ name: 'KEY' }], health: { command } } })
    const release = readServedRelease(toy.paths, readIdentity(toy.paths), '1.0.0')
    const health = await probeRelease(release, { kind: 'tcp', host: '127.0.0.1', port: 9 }, {})
    expect(health).toEqual({ ok: true, evidence: `exit code 0: ${nobody!.uid}\n***` })
  })

  it('lets nothing that an application’s environment names be loaded with root’s rights', async () => {
    const toy = reachableToy()
    // A library that cannot be loaded is told of by the loader of every program that should load it.
    const environment = { LD_PRELOAD: '/nonexistent/library.so' }
    const node = {
      user: 'nobody',
      migrations: [{ name: 'load', phase: 'expand', run: ['/usr/bin/id', '-u'], environment }],
    }
    const events = await put(toy, { version: '1.0.0', node })
    const complaints = events.filter(line => line.includes('/nonexistent/library.so'))
    expect(complaints).toHaveLength(1)
    expect(events).toContain(String(nobody!.uid))
  })
})

describe('setup commands', () => {
  it('reach no network, not even this machine’s, unless they ask for it', async ({ skip }) => {
    if (!(await findIsolation({ network: 'none' })).network) skip()
    const server = net.createServer(socket => void socket.on('error', () => {}).end()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const run = `/usr/bin/python3 -c 'import socket; socket.create_connection(("127.0.0.1", ${port}), 5)'`
    try {
      const toy = reachableToy()
      const error = await failure(toy, { version: '1.0.0', node: { setup: [{ run }] } })
      expect(error).toMatchObject({ code: 'SETUP_FAILED' })
      expect(error.message).toContain('unreachable')
      await put(toy, { version: '1.0.1', node: { setup: [{ run, network: true }] } })
    } finally {
      server.close()
    }
  })

  it('leave no process behind, whatever it does to get away', async () => {
    const toy = reachableToy()
    const seconds = `${3_000_000 + process.pid}`
    const run = `env -i setsid sleep ${seconds} > /dev/null 2>&1 < /dev/null & setsid sleep ${seconds} > /dev/null 2>&1 < /dev/null &`
    const walls = await findIsolation({ network: 'none' })
    await put(toy, { version: '1.0.0', node: { setup: [{ run: walls.processes ? run : run.replace('env -i ', '') }] } })
    expect(commandLines().filter(words => words.includes(seconds))).toEqual([])
  })
})

/** An installation that other users can reach. */
function reachableToy(): ToyInstallation {
  const root = tempFolder()
  fs.chmodSync(root, 0o755)
  return toyInstallation(root)
}

/** Install a release of `toy`; the lines that its commands printed. */
async function put(toy: ToyInstallation, release: ToyRelease): Promise<readonly string[]> {
  const tools = recordedTools()
  const resolve = resolveFromFolder(await toy.cut(release))
  await install({ prefix: toy.paths.root, version: release.version, resolve }, tools)
  return tools.events.flatMap(event => (event.kind === 'output' ? [event.line] : []))
}

async function failure(toy: ToyInstallation, release: ToyRelease): Promise<ReleaseError> {
  const caught = await put(toy, release).catch((error: unknown) => error)
  if (caught instanceof ReleaseError) return caught
  throw new Error('expected an error', { cause: caught })
}

function entries(root: string) {
  const found = fs.readdirSync(root, { recursive: true, encoding: 'utf8' })
  return found.map(name => ({ name, stat: fs.lstatSync(path.join(root, name)) }))
}

function commandLines(): readonly string[] {
  const pids = fs.readdirSync('/proc').filter(name => /^\d+$/.test(name))
  return pids.map(pid => {
    try {
      return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    } catch {
      return ''
    }
  })
}
