import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { instanceName } from '../../src/service/names.ts'
import { freePort } from '../support/ports.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'
import { toyPrefix, until } from '../support/toy-prefix.ts'

const cutover = path.join(import.meta.dirname, '..', '..', 'src', 'bin', 'cutover.ts')
const listen = [
  '0.0.0.0:8080',
  '[::]:8080',
  { address: '127.0.0.1:8081', name: 'admin' },
  { address: 'unix:/run/toy local.sock', name: 'local' },
]

it.skipIf(!needTool('systemd-analyze'))('writes units of all public sockets, which systemd understands', () => {
  const prefix = toyPrefix(tempFolder(), { mode: 'handover', gate: { listen } })
  prefix.addRelease('1.0.0')
  prefix.switchTo('1.0.0')
  // As `cutover init` has it.
  fs.mkdirSync(path.join(prefix.root, 'bin'))
  fs.symlinkSync('/bin/true', path.join(prefix.root, 'bin', 'serve'))
  const folder = tempFolder()
  execFileSync(process.execPath, [cutover, 'serve', prefix.root, '--write-units', folder, '--with-socket'], {
    stdio: 'pipe',
  })
  const instance = instanceName('toy', prefix.root)
  const names = ['admin', 'http', 'local'].map(name => `${instance}-${name}.socket`)
  const units = [...names, `${instance}.service`]
  expect(fs.readdirSync(folder).toSorted()).toEqual(units)
  const http = fs.readFileSync(path.join(folder, `${instance}-http.socket`), 'utf8')
  expect(http).toContain('\nListenStream=0.0.0.0:8080\nListenStream=[::]:8080\nBindIPv6Only=ipv6-only\n')
  const files = units.map(unit => path.join(folder, unit))
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', ...files], { encoding: 'utf8' })
  // Other units of the machine may be wrong; ours are not spoken of.
  expect(stderr.split('\n').filter(line => line.includes(instance))).toEqual([])
  expect(status).toBe(0)
})

it('asks for the address where no release names one', () => {
  const { root } = toyPrefix(tempFolder(), { mode: 'handover' })
  const argv = [cutover, 'serve', root, '--write-units', tempFolder(), '--with-socket']
  const refused = spawnSync(process.execPath, [...argv, '--json'], { encoding: 'utf8' })
  expect(refused.status).toBe(1)
  expect(refused.stdout).toContain('SERVE_NO_RELEASE')
  const folder = tempFolder()
  const told = [cutover, 'serve', root, '--write-units', folder, '--with-socket', '--listen', '127.0.0.1:8080']
  execFileSync(process.execPath, told, { stdio: 'pipe' })
  const instance = instanceName('toy', root)
  expect(fs.readFileSync(path.join(folder, `${instance}-http.socket`), 'utf8')).toContain('ListenStream=127.0.0.1:8080')
})

it.skipIf(!needTool('systemd-socket-activate'))(
  'answers on sockets of systemd before a first release is there',
  async () => {
    const { root } = toyPrefix(tempFolder(), { mode: 'handover' })
    const port = await freePort()
    const argv = ['-l', `127.0.0.1:${port}`, '-E', 'PATH', process.execPath, cutover, 'serve', root, '--mode=handover']
    const child = spawn('systemd-socket-activate', argv, { stdio: 'ignore' })
    const ended = once(child, 'close')
    const answer = await until(() => fetch(`http://127.0.0.1:${port}/`).catch(() => undefined))
    child.kill('SIGTERM')
    expect(answer.status).toBe(503)
    expect(await ended).toEqual([0, null])
  },
)
