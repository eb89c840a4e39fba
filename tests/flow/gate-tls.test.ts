import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import tls from 'node:tls'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { makeCertificate } from '../support/certificates.ts'
import { freePort } from '../support/ports.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'
import { startServing, toyPrefix, until } from '../support/toy-prefix.ts'

/** Whose certificate is shown at a port. */
function shownAt(port: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      const name = socket.getPeerCertificate().subject?.CN
      resolve(Array.isArray(name) ? name[0] : name)
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

it.skipIf(!needTool('openssl', 'curl'))(
  'serve speaks TLS and plain HTTP as the recipe says, and takes a new certificate at SIGHUP, a broken one not',
  async () => {
    const root = tempFolder()
    const securePort = await freePort()
    const prefix = toyPrefix(root, {
      mode: 'proxy',
      gate: {
        listen: ['127.0.0.1:0', { address: `127.0.0.1:${securePort}`, tls: true }],
        tls: { certificate: '${shared}/live.pem', key: '${shared}/live.key' },
      },
    })
    prefix.addRelease('1.0.0')
    prefix.switchTo('1.0.0')
    const install = (name: string) => {
      const files = makeCertificate(tempFolder(), name)
      for (const kind of ['key', 'certificate'] as const) {
        fs.copyFileSync(files[kind], path.join(root, 'shared', kind === 'key' ? 'live.key' : 'live.pem'))
      }
    }
    install('first')
    const served = await startServing(root)
    onTestFinished(async () => void (await served.end('SIGTERM')))
    await until(async () => (await served.client.request({ kind: 'probe' })).result?.ok)
    const asked = await promisify(execFile)('curl', [
      '-ks',
      '-w',
      ' %{http_version} %{http_code}',
      `https://127.0.0.1:${securePort}/`,
    ])
    expect(asked.stdout).toMatch(/ 2 200$/)
    expect((await fetch(served.url)).status).toBe(200)
    const obeyed = () => served.output().split('obeyed SIGHUP').length
    const reload = async () => {
      const before = obeyed()
      served.child.kill('SIGHUP')
      await until(async () => obeyed() > before)
    }
    install('second')
    await reload()
    expect(await shownAt(securePort)).toBe('second')
    fs.chmodSync(path.join(root, 'shared', 'live.key'), 0o644)
    await reload()
    expect(served.output()).toContain('GATE_TLS_KEY_EXPOSED')
    expect(await shownAt(securePort)).toBe('second')
  },
)
