import { spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import { openLastingGateBefore } from './gate-front.ts'
import { startNginx } from './nginx.ts'
import { freePort, untilListening } from './ports.ts'
import { type RecordingApp, recordingApp, type SeenRequest } from './recording-app.ts'

/** A request as one who reads HTTP read it, written so that it can be compared. */
type ReadRequest = string

/** Somebody who reads HTTP: our gate, or another program. */
interface HttpReader {
  readonly name: string
  /** Send it bytes on a new connection. Post: the requests that it read out of them, as an application behind it saw them. */
  readonly read: (bytes: Buffer) => Promise<readonly ReadRequest[]>
  /** What the application behind it could not read. */
  readonly faults: () => readonly string[]
  readonly close: () => void | Promise<void>
}

/** What stands for the host in generated requests: each time another name of the same length takes its place. */
export const hostPlace = 'host-place'

let turn = 0

/** Tell requests of this turn from those that a slow proxy lets through after it. One whose host was changed is taken for this turn's. */
const hostOfTurn = () => `turn${String(turn).padStart(6, '0')}`

/** Have all read the same bytes. Post: what each read, in their order. */
function readByAll(readers: readonly HttpReader[], bytes: Buffer): Promise<readonly (readonly ReadRequest[])[]> {
  turn += 1
  const named = Buffer.from(bytes.toString('latin1').replaceAll(hostPlace, hostOfTurn()), 'latin1')
  return Promise.all(readers.map(reader => reader.read(named)))
}

/** Nothing more comes of what was sent after so long without a sign; who needs longer is taken to have stopped there. */
const quietMs = 120

/** Our gate before a recording application. */
async function gateReader(): Promise<HttpReader> {
  const app = await recordingApp()
  const gate = await openLastingGateBefore(app.port, {
    limits: {
      headBytes: 16_384,
      fields: 100,
      headTimeoutMs: 5000,
      idleTimeoutMs: 5000,
      bodyTimeoutMs: 5000,
      connections: 20_000,
    },
  })
  const close = () => {
    gate.close()
    app.close()
  }
  return proxyReader('gate', gate.port, app, close)
}

/** Debian's nginx before a recording application. */
async function nginxReader(): Promise<HttpReader> {
  const app = await recordingApp()
  const port = await freePort()
  const upstream = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;'
  const location = `location / { ${upstream} proxy_pass http://127.0.0.1:${app.port}; }`
  await startNginx(`server { listen 127.0.0.1:${port}; ${location} }`, port)
  return proxyReader('nginx', port, app, () => app.close())
}

/** Debian's HAProxy before a recording application. */
async function haproxyReader(folder: string): Promise<HttpReader> {
  const app = await recordingApp()
  const port = await freePort()
  const file = path.join(folder, 'haproxy.cfg')
  const timeouts = 'timeout client 5s\n timeout server 5s\n timeout connect 5s\n timeout http-request 5s'
  fs.writeFileSync(
    file,
    `defaults\n mode http\n ${timeouts}\nfrontend f\n bind 127.0.0.1:${port}\n default_backend b\nbackend b\n server s 127.0.0.1:${app.port}\n`,
  )
  const child = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' })
  await untilListening(port)
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  return proxyReader('HAProxy', port, app, async () => {
    child.kill('SIGKILL')
    await ended
    app.close()
  })
}

/** Node's own server. */
async function nodeReader(): Promise<HttpReader> {
  const seen: SeenRequest[] = []
  // Other protocols are not spoken: it reads on.
  const server = http.createServer({ shouldUpgradeCallback: () => false }, (request, response) => {
    let body = ''
    request.on('data', piece => {
      body += piece.toString('latin1')
    })
    request.once('end', () => {
      seen.push({ method: request.method!, target: request.url!, fields: [], body, trailers: [] })
      response.end('ok')
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    name: 'Node',
    read: async bytes => {
      seen.length = 0
      await sendAll(port, bytes)
      return seen.map(readRequest)
    },
    faults: () => [],
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

function proxyReader(name: string, port: number, app: RecordingApp, close: HttpReader['close']): HttpReader {
  return {
    name,
    read: async bytes => {
      app.forget()
      await sendAll(port, bytes)
      return app.seen.filter(isOfTurn).map(readRequest)
    },
    faults: () => app.faults,
    close,
  }
}

/** Send bytes and wait until the other side ends the connection, or stays silent. */
function sendAll(port: number, bytes: Buffer): Promise<void> {
  return new Promise(resolve => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    const finish = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve()
    }
    const timer = setTimeout(finish, quietMs)
    socket.on('data', () => timer.refresh())
    socket.once('end', finish).once('error', finish)
    socket.write(bytes)
  })
}

function isOfTurn({ fields }: SeenRequest): boolean {
  const host = fields.find(([name]) => name === 'host')?.[1] ?? ''
  return host === hostOfTurn() || !/^turn\d{6}$/.test(host)
}

/** The host of an absolute target is told by Host as well, and its path may be left out. */
function readRequest({ method, target, body }: SeenRequest): ReadRequest {
  const place = target.replace(/^https?:\/\/[^/?]*/i, '')
  return `${method} ${place.startsWith('/') || place === '*' ? place : `/${place}`} ${JSON.stringify(body)}`
}

/** Our gate, and others to compare it with. */
export interface Readers {
  readonly gate: HttpReader
  readonly others: readonly HttpReader[]
  readonly close: () => Promise<void>
}

/** Start the gate, Node, nginx and HAProxy, each before an application of its own. Pre: both are installed; the folder is for HAProxy. */
export async function startReaders(folder: string): Promise<Readers> {
  const gate = await gateReader()
  const others = await Promise.all([nodeReader(), nginxReader(), haproxyReader(folder)])
  const close = async () => {
    for (const reader of [gate, ...others]) await reader.close()
  }
  return { gate, others, close }
}

/** What the gate reads out of bytes; and how some of the others read it in another way, and what the application behind the gate could not read. */
export async function compare({ gate, others }: Readers, bytes: Buffer) {
  const [read, ...reads] = await readByAll([gate, ...others], bytes)
  const found = reads.flatMap((theirs, index) => {
    const differs = disagreement(read!, theirs)
    return differs === undefined ? [] : [{ who: others[index]!.name, gate: differs[0], they: differs[1] }]
  })
  return { read: read!, found: [...found, ...gate.faults()] }
}

/** How two readers of the same bytes differ: the first request that both read, each as another one; undefined when what one read is the beginning of what the other did. */
function disagreement(
  one: readonly ReadRequest[],
  other: readonly ReadRequest[],
): readonly [ReadRequest, ReadRequest] | undefined {
  for (let index = 0; index < Math.min(one.length, other.length); index += 1) {
    if (one[index] !== other[index]) return [one[index]!, other[index]!]
  }
  return undefined
}
