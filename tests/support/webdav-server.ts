import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll } from 'vitest'
import { freePort, untilListening } from './ports.ts'
import { tempFolder } from './temp.ts'

const running = new Set<() => unknown>()
// Here, for a hook that is registered while a test runs is never called.
afterAll(() => Promise.all([...running].map(end => end())))

/** nginx with WebDAV, on loopback until the test file ends. */
export interface WebdavServer {
  /** `http://127.0.0.1:PORT/repository/`. */
  readonly url: URL
  /** Where everybody may read it. */
  readonly publicUrl: string
  /** What it serves under that address. */
  readonly root: string
}

/** Who may use the server, and how it is spoken to. */
export interface WebdavOptions {
  readonly user: string
  readonly password: string
  readonly certificate?: { readonly keyFile: string; readonly file: string }
}

/** Run Debian's nginx in two processes, as it runs elsewhere: what one request does, the other sees half done if it can be seen so. */
export async function webdavServer({ user, password, certificate }: WebdavOptions): Promise<WebdavServer> {
  const folder = tempFolder()
  const root = path.join(folder, 'root/repository')
  fs.mkdirSync(root, { recursive: true })
  // Its workers are another user's when root starts it.
  fs.chmodSync(folder, 0o755)
  const [port, publicPort] = [await freePort(), await freePort()]
  const listen = `127.0.0.1:${port}`
  const passwords = path.join(folder, 'htpasswd')
  fs.writeFileSync(passwords, `${user}:${execFileSync('openssl', ['passwd', '-apr1', '-stdin'], { input: password })}`)
  const tls =
    certificate === undefined ? '' : `ssl_certificate ${certificate.file}; ssl_certificate_key ${certificate.keyFile};`
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    name => `${name}_temp_path ${folder}/${name};`,
  )
  const configuration = path.join(folder, 'nginx.conf')
  fs.writeFileSync(
    configuration,
    `daemon off; worker_processes 2; pid ${folder}/pid; error_log ${folder}/error.log;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events {}
    http {
      access_log off; default_type application/octet-stream; ${temporary.join(' ')}
      server {
        listen ${listen}${tls === '' ? '' : ' ssl'}; ${tls}
        root ${path.dirname(root)};
        auth_basic tests; auth_basic_user_file ${passwords};
        client_max_body_size 0;
        dav_methods PUT DELETE MKCOL MOVE; create_full_put_path on; dav_access user:rw group:r all:r;
        location / {}
      }
      server {
        listen 127.0.0.1:${publicPort};
        root ${path.dirname(root)};
        location ~ /\\.cutover { deny all; }
      }
    }`,
  )
  const child = spawn('nginx', ['-c', configuration], { stdio: 'ignore' })
  running.add(async () => {
    if (child.exitCode !== null) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
  })
  await untilListening(port)
  return {
    url: new URL(`${tls === '' ? 'http' : 'https'}://${listen}/repository/`),
    publicUrl: `http://127.0.0.1:${publicPort}/repository`,
    root,
  }
}
