import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll } from 'vitest'
import { tempFolder } from './temp.ts'

const base = tempFolder()
const running: ChildProcess[] = []
// Here, for a hook that is registered while a test runs is never called.
afterAll(() => Promise.all(running.map(ended)))

/** Find a port of loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

/**
 * Run Debian's nginx with a configuration of its `http` context, until the test file ends.
 *
 * Pre: the configuration listens on that port. Post: it was accepted by `nginx -t` without a warning.
 */
export async function startNginx(http: string, port: number): Promise<void> {
  const folder = fs.mkdtempSync(path.join(base, 'nginx-'))
  const file = path.join(folder, 'nginx.conf')
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    each => `${each}_temp_path ${folder}/${each};`,
  )
  // One process, so that it may read what only this user may.
  fs.writeFileSync(
    file,
    `daemon off;\nmaster_process off;\npid ${folder}/pid;\nevents { }\nhttp {\n${places.join('\n')}\naccess_log ${folder}/access.log;\n${http}\n}\n`,
  )
  const argv = ['-p', folder, '-e', path.join(folder, 'error.log'), '-c', file]
  execFileSync('nginx', ['-t', '-q', ...argv], { stdio: 'pipe' })
  const warned = fs.readFileSync(path.join(folder, 'error.log'), 'utf8')
  if (warned !== '') throw new Error(warned)
  running.push(spawn('nginx', argv, { stdio: 'ignore' }))
  await untilListening(port)
}

async function untilListening(port: number): Promise<void> {
  for (let left = 500; left > 0; left -= 1) {
    const answered = await new Promise<boolean>(resolve => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(true))
      socket.once('error', () => resolve(false)).once('connect', () => socket.destroy())
    })
    if (answered) return
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  throw new Error(`nginx does not listen on port ${port}`)
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve()
  return new Promise(resolve => {
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}
