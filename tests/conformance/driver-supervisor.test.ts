import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, describe } from 'vitest'
import { driverContract } from '../support/driver-contract.ts'
import { hasControlGroups, needRoot, serveHere } from '../support/served-driver.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'
import { until } from '../support/toy-prefix.ts'

let supervisord: ChildProcess | undefined

afterAll(async () => {
  if (supervisord === undefined) return
  const closed = once(supervisord, 'close')
  supervisord.kill('SIGTERM')
  await closed
})

describe.skipIf(!(needRoot() && needTool('supervisord', 'supervisorctl')))('driver supervisor', () => {
  driverContract(async () => {
    const folder = tempFolder()
    fs.chmodSync(folder, 0o711)
    const configuration = writeConfiguration(folder)
    const env = { ...process.env, CUTOVER_CONTRACT: 'yes' }
    supervisord = spawn('supervisord', ['--configuration', configuration], { env, stdio: 'ignore' })
    await until(async () => fs.existsSync(path.join(folder, 'supervisor.sock')))
    return {
      driver: 'supervisor',
      folder: { inside: folder, outside: folder },
      node: process.execPath,
      hasGroups: hasControlGroups(),
      takesLines: true,
      serve: prefix => serveHere(prefix, { CUTOVER_SUPERVISORD_CONF: configuration }),
      remains: () => {
        const asked = ['--configuration', configuration, 'avail']
        return (
          fs.readdirSync(path.join(folder, 'conf.d')).join() +
          execFileSync('supervisorctl', asked, { encoding: 'utf8' })
        )
      },
    }
  })
})

function writeConfiguration(folder: string): string {
  fs.mkdirSync(path.join(folder, 'conf.d'))
  const file = path.join(folder, 'supervisord.conf')
  const lines = [
    '[supervisord]',
    'nodaemon=true',
    'logfile=%(here)s/supervisord.log ; where it tells',
    'pidfile=%(here)s/supervisord.pid',
    '[unix_http_server]',
    'file=%(here)s/supervisor.sock',
    '[supervisorctl]',
    'serverurl=unix://%(here)s/supervisor.sock',
    '[rpcinterface:supervisor]',
    'supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface',
    '[include]',
    'files = conf.d/*.conf',
    '',
  ]
  fs.writeFileSync(file, lines.join('\n'))
  return file
}
