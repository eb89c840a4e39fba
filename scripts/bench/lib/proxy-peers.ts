import { spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import net from 'node:net'
import path from 'node:path'
import { Front } from '../../../src/gate/front/front.ts'
import { systemTimers } from '../../../src/gate/machine/timers.ts'
import { gateSettings } from '../../../tests/support/gate-settings.ts'
import { freePort, untilListening } from '../../../tests/support/ports.ts'

/** A server of the bench, on one processor, and what it has used of it. */
export interface BenchServer {
  readonly port: number
  readonly cpuSeconds: () => number
  readonly residentMiB: () => number
  readonly stop: () => Promise<void>
}

/** Proxies that are processes of Node: run in one of their own, as `node proxy.ts serve KIND PORT BACKEND`. */
export const nodeProxies = ['gate', 'pipe', 'http-proxy', 'http-proxy-3'] as const

/** A proxy that is measured. */
export type ProxyKind = (typeof nodeProxies)[number] | 'nginx' | 'haproxy'

/** Start a command on one processor. Post: something listens on the port. */
export async function startPinned(argv: readonly string[], cpu: number, port: number): Promise<BenchServer> {
  const child = spawn('taskset', ['-c', String(cpu), ...argv], { stdio: ['ignore', 'ignore', 'inherit'] })
  const closed = new Promise<void>(resolve => child.once('close', () => resolve()))
  await untilListening(port)
  return {
    port,
    cpuSeconds: () => {
      const fields = fs.readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      // utime and stime, in ticks of which Linux has 100 a second. Source: proc(5).
      return (Number(fields[11]) + Number(fields[12])) / 100
    },
    residentMiB: () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024,
    stop: () => {
      child.kill('SIGKILL')
      return closed
    },
  }
}

/** Start an nginx that answers every request with one file. */
export async function startBackend(work: string, sizeBytes: number, cpu: number): Promise<BenchServer> {
  const port = await freePort()
  fs.mkdirSync(path.join(work, `www-${sizeBytes}`), { recursive: true })
  fs.writeFileSync(path.join(work, `www-${sizeBytes}`, 'body'), Buffer.alloc(sizeBytes, 'x'))
  const server = `open_file_cache max=10; server { listen 127.0.0.1:${port} backlog=1024; root ${work}/www-${sizeBytes}; location / { try_files /body =404; } }`
  return startPinned(nginxArgv(work, `backend-${sizeBytes}`, server), cpu, port)
}

/** Start a proxy before a backend. */
export async function startProxy(kind: ProxyKind, options: { work: string; backend: number; cpu: number }) {
  const port = await freePort()
  return startPinned(proxyArgv(kind, { ...options, port }), options.cpu, port)
}

function proxyArgv(kind: ProxyKind, options: { work: string; backend: number; port: number }): readonly string[] {
  const { work, backend, port } = options
  if (kind === 'nginx') {
    const upstream = `upstream b { server 127.0.0.1:${backend}; keepalive 128; keepalive_requests 100000000; }`
    const location = 'location / { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection ""; }'
    return nginxArgv(work, 'proxy', `${upstream} server { listen 127.0.0.1:${port} backlog=1024; ${location} }`)
  }
  if (kind === 'haproxy') {
    const file = path.join(work, 'haproxy.cfg')
    fs.writeFileSync(file, haproxyText(port, backend))
    return ['haproxy', '-db', '-f', file]
  }
  const bench = path.join(import.meta.dirname, '..', 'proxy.ts')
  return [process.execPath, bench, 'serve', kind, String(port), String(backend)]
}

function nginxArgv(work: string, name: string, text: string): readonly string[] {
  const file = path.join(work, `${name}.conf`)
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(each => `${each}_temp_path ${work}/tmp;`)
  fs.writeFileSync(
    file,
    `daemon off; master_process off; worker_processes 1; pid ${work}/${name}.pid; error_log ${work}/${name}.log;
events { worker_connections 2048; }
http { access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000; ${places.join(' ')} ${text} }
`,
  )
  return ['nginx', '-c', file]
}

function haproxyText(port: number, backend: number): string {
  return `global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend f
  bind 127.0.0.1:${port} backlog 1024
  default_backend b
backend b
  server s 127.0.0.1:${backend}
`
}

/** Where the peers from npm are, as a folder with a package.json; undefined when one of them is not there. */
export function resolvePeer(folder: string, name: string): string | undefined {
  try {
    return createRequire(path.join(folder, 'package.json')).resolve(name)
  } catch {
    return undefined
  }
}

/** Be a proxy of Node, in this process. */
export async function serveAs(kind: (typeof nodeProxies)[number], port: number, backend: number): Promise<void> {
  if (kind === 'gate') {
    const front = new Front({
      settings: gateSettings,
      timers: systemTimers,
      random: Math.random,
      closesConnections: false,
    })
    front.serviceAt({ kind: 'tcp', host: '127.0.0.1', port: backend })
    await front.listen({ kind: 'address', address: { kind: 'tcp', host: '127.0.0.1', port } })
  } else if (kind === 'pipe') pipe(backend).listen({ port, host: '127.0.0.1', backlog: 1024 })
  else (await peer(kind, backend)).listen({ port, host: '127.0.0.1', backlog: 1024 })
}

/** The floor: bytes from one connection to another, nothing looked at. */
function pipe(backend: number): net.Server {
  return net.createServer({ noDelay: true }, client => {
    const other = net.connect({ port: backend, host: '127.0.0.1', noDelay: true })
    client.pipe(other).pipe(client)
    for (const [from, to] of [
      [client, other],
      [other, client],
    ] as const) {
      from.on('error', () => {}).once('close', () => to.destroy())
    }
  })
}

async function peer(kind: 'http-proxy' | 'http-proxy-3', backend: number): Promise<http.Server> {
  const { default: library } = await import(resolvePeer(process.env.BENCH_NPM ?? '.', kind)!)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 256, maxFreeSockets: 256 })
  const proxy = library.createProxyServer({ target: `http://127.0.0.1:${backend}`, agent })
  proxy.on('error', (_error: Error, _request: http.IncomingMessage, response: http.ServerResponse) =>
    response.destroy(),
  )
  const server = http.createServer((request, response) => proxy.web(request, response))
  server.keepAliveTimeout = 60_000
  return server
}
