import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll } from 'vitest'
import { untilListening } from './ports.ts'
import { tempFolder } from './temp.ts'

const base = tempFolder()
const running: ChildProcess[] = []
// Here, for a hook that is registered while a test runs is never called.
afterAll(() => Promise.all(running.map(ended)))

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

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve()
  return new Promise(resolve => {
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}
