import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { freePort, untilListening } from '../../../tests/support/ports.ts'

/** A static web server that counts. */
export interface FileServer {
  readonly url: string
  /** How many bytes of bodies were sent since this was asked last. */
  readonly sentBytes: () => number
  readonly close: () => Promise<void>
}

/** Serve a folder by Debian's nginx, whose own files go to `work`. */
export async function serveFolder(folder: string, work: string): Promise<FileServer> {
  fs.mkdirSync(work, { recursive: true })
  const port = await freePort()
  const log = path.join(work, 'sent')
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(each => `${each}_temp_path ${work}/${each};`)
  const configuration = `daemon off; master_process off; pid ${work}/pid; error_log ${work}/errors;
events {}
http {
  ${places.join(' ')}
  log_format sent '$body_bytes_sent'; access_log ${log} sent; sendfile on;
  server { listen 127.0.0.1:${port}; root ${folder}; }
}
`
  fs.writeFileSync(path.join(work, 'nginx.conf'), configuration)
  const argv = ['-p', work, '-e', path.join(work, 'errors'), '-c', path.join(work, 'nginx.conf')]
  const nginx = spawn('nginx', argv, { stdio: 'ignore' })
  await untilListening(port)
  return {
    url: `http://127.0.0.1:${port}`,
    sentBytes: () => {
      const sizes = fs.readFileSync(log, 'utf8').trimEnd().split('\n').map(Number)
      fs.truncateSync(log)
      return sizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0)
    },
    close: () =>
      new Promise(resolve => {
        nginx.once('close', () => resolve())
        nginx.kill('SIGKILL')
      }),
  }
}
