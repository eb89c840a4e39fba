/*
 * Attacks by the user that an application runs as, where root installs and serves it: whoever breaks into the application is that user. It may
 * write to what it was given below shared/ and run/, and leads root nowhere by what it puts there.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { install } from '../../src/flow/install.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { verify } from '../../src/flow/verify.ts'
import { controlSocket } from '../../src/gate/control/protocol.ts'
import { writeWrappers } from '../../src/prefix/wrappers.ts'
import { lookUpUser } from '../../src/sys/account.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { type Serving, startServing, until } from '../support/toy-prefix.ts'
import { servedNode, type ToyInstallation, type ToyRelease, toyInstallation } from '../support/toy-release.ts'

/** Answers every request, and is not put off by clients that go away. */
const application = `
import os, socket
listening = socket.socket(socket.AF_UNIX)
listening.bind(os.environ['SOCKET'])
listening.listen()
while True:
    client, _ = listening.accept()
    try:
        client.recv(65536)
        body = ('version ' + os.environ['VERSION']).encode()
        client.sendall(b'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(body) + body)
    except OSError:
        pass
    client.close()
`
const isPossible = process.geteuid?.() === 0 && lookUpUser('nobody') !== undefined && fs.existsSync('/usr/bin/python3')

describe.skipIf(!isPossible)('the user of an application', () => {
  let toy: ToyInstallation
  let serving: Serving
  const at = (...names: string[]) => path.join(toy.paths.root, ...names)

  beforeAll(async () => {
    const root = tempFolder()
    fs.chmodSync(root, 0o755)
    toy = toyInstallation(root)
    writeWrappers(toy.paths, ['/usr/bin/node', '/opt/cutover.js'])
    await put({ version: '1.0.0', node: node() })
    serving = await startServing(toy.paths.root)
    await put({ version: '1.1.0', node: node([migration]) })
  })
  afterAll(async () => {
    await serving?.end('SIGTERM')
  })

  const migration = { name: 'change', phase: 'short', rollback: 'forward-only', run: 'true' }
  const node = (migrations: readonly { readonly [key: string]: string }[] = []) => ({
    ...servedNode(),
    runtime: { kind: 'none' },
    user: 'nobody',
    shared: ['data'],
    secrets: [{ name: 'KEY' }],
    files: [{ path: 'app.ini', template: 'app.ini' }],
    config: [{ path: 'release.ini', template: 'app.ini' }],
    setup: [{ run: 'echo made > made' }],
    backup: { run: 'touch "$BACKUP_FOLDER/copy"' },
    migrations: [...migrations],
    services: [
      {
        name: 'web',
        command: ['/usr/bin/python3', 'application.py'],
        environment: { SOCKET: '${socket}', VERSION: '${version}' },
        listens: true,
        stopTimeout: '1s',
      },
    ],
  })

  async function put(release: ToyRelease): Promise<void> {
    const resolve = resolveFromFolder(
      await toy.cut({ ...release, files: { 'application.py': application, 'app.ini': 'a=1\n' } }),
    )
    await install({ prefix: toy.paths.root, version: release.version, resolve }, recordedTools())
  }

  function asUser(...argv: readonly [string, ...string[]]): string {
    const drop = ['--reuid=nobody', '--regid=nogroup', '--clear-groups', '--no-new-privs', '--']
    return spawnSync('setpriv', [...drop, ...argv], { encoding: 'utf8', cwd: '/' }).stdout
  }

  it('can write to what it was given, and to nothing else of the prefix', () => {
    const writable = asUser('find', toy.paths.root, '-not', '-type', 'l', '-writable').trim().split('\n')
    const given = ['shared/data', 'shared/app.ini', 'shared/backups/1.0.0-2'].map(name => at(name))
    expect(writable.filter(name => !given.some(each => name === each || name.startsWith(`${each}/`)))).toEqual([])
    expect(writable).toEqual(expect.arrayContaining(given))
    // Not to be found, for it cannot look around there.
    expect(asUser('sh', '-c', `test -w ${at('run/service')} && echo yes`)).toBe('yes\n')
  })

  it('cannot read secrets, nor the digests of what was made of them', () => {
    const readable = asUser('find', toy.paths.root, '-type', 'f', '-readable')
    expect(readable).toContain('release.ini')
    for (const name of ['secrets.json', 'additions.json', 'journal.ndjson']) expect(readable).not.toContain(name)
  })

  it('cannot keep installers waiting by holding their lock, nor ask the gate for anything', () => {
    for (const name of ['run/lock', controlSocket]) {
      expect(asUser('sh', '-c', `test -r ${at(name)} || test -w ${at(name)} || echo closed`), name).toBe('closed\n')
    }
  })

  it('cannot have the gate pass requests to another socket, by a link in the place of its own', async () => {
    // While it is away requests are held.
    const ask = () => fetch(`${serving.url}/health`, { signal: AbortSignal.timeout(300) })
    const health = async () => (await ask().catch(() => undefined))?.status
    await until(async () => (await health()) === 200)
    const [own, roots] = [at('run/service/service.sock'), path.join(tempFolder(), 'roots.sock')]
    let reached = 0
    const server = http.createServer((_, response) => {
      reached += 1
      response.end()
    })
    server.listen(roots)
    await once(server, 'listening')
    asUser('sh', '-c', `mv ${own} ${own}.kept && ln -s ${roots} ${own}`)
    expect(fs.readlinkSync(own)).toBe(roots)
    for (let request = 0; request < 3; request += 1) expect(await health()).not.toBe(200)
    expect(reached).toBe(0)
    server.close()
    asUser('sh', '-c', `rm ${own} && mv ${own}.kept ${own}`)
    await until(async () => (await health()) === 200)
  })

  it('is not followed where it has put links among what is shared', async () => {
    const outside = tempFolder()
    fs.writeFileSync(path.join(outside, 'kept'), 'kept', { mode: 0o600 })
    const link = (target: string, name: string) => asUser('ln', '-sfn', target, at('shared', name))
    link(outside, 'data/deep')
    link(path.join(outside, 'kept'), 'data/app.ini')
    link(path.join(outside, 'new'), 'data/other.ini')
    const files = ['data/deep/app.ini', 'data/app.ini', 'data/other.ini'].map(name => ({
      path: name,
      template: 'app.ini',
      mode: '0666',
    }))
    for (const file of files) {
      await put({ version: '1.2.0', node: { ...node(), files: [file] } }).catch(() => undefined)
      fs.rmSync(at('releases/1.2.0'), { recursive: true, force: true })
    }
    expect(fs.readdirSync(outside)).toEqual(['kept'])
    const { mode, uid } = fs.statSync(path.join(outside, 'kept'))
    expect([mode & 0o777, uid, fs.readFileSync(path.join(outside, 'kept'), 'utf8')]).toEqual([0o600, 0, 'kept'])
  })

  it('leaves nothing that a verification finds', async () => {
    await verify({ prefix: toy.paths.root, all: true, offline: true }, recordedTools())
  })
})
