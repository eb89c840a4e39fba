import { once } from 'node:events'
import fs from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import net from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { ReleaseError, toReleaseError } from '../../core/error.ts'
import { unixAddress } from '../front/address.ts'
import { parseControlRequest } from './control-request.ts'
import type { ControlRequest, ControlResponse } from './protocol.ts'

const largestRequestBytes = 64 * 1024

/** Answers control requests; what it throws is told to whoever asked. */
export type ControlHandler = (request: ControlRequest) => Promise<ControlResponse>

/**
 * Take control requests on a unix socket that only our own user can use.
 *
 * It is bound under another name and put into its place by a rename, so that one process takes over from another without a moment in
 * which nobody answers; Node would remove the name that it was bound to. Pre: nobody else begins to serve the prefix (a lock holds that).
 */
export class ControlServer {
  readonly #path: string
  readonly #handle: ControlHandler
  #listening: Listening
  #answered: Promise<unknown> = Promise.resolve()

  private constructor(path: string, handle: ControlHandler, listening: Listening) {
    this.#path = path
    this.#handle = handle
    this.#listening = listening
  }

  /** Begin to listen. Nobody finds us before {@link publish}. Errors: GATE_ADDRESS_INVALID. */
  static async listen(socketPath: string, handle: ControlHandler): Promise<ControlServer> {
    const { path } = unixAddress(socketPath)
    return new ControlServer(path, handle, await listen(bindingPath(path), handle))
  }

  /** Have requests come here from now on; those that another process has taken stay with it. */
  publish(): void {
    fs.renameSync(bindingPath(this.#path), this.#path)
  }

  /** Have requests come here again, if another process published itself that is gone. */
  async reclaim(): Promise<void> {
    if (this.#isPublished) return
    // Not waited for: whoever waits for this may be one that it answers.
    const { server } = this.#listening
    this.#answered = Promise.all([this.#answered, stopListening(server).then(() => ended(server))])
    this.#listening = await listen(bindingPath(this.#path), this.#handle)
    this.publish()
  }

  /** Take no more requests. Post: nothing listens; those that were taken are answered yet; the socket is removed, if it is still ours. */
  async stopTaking(): Promise<void> {
    if (this.#isPublished) fs.rmSync(this.#path, { force: true })
    await stopListening(this.#listening.server)
  }

  /** Wait until those that were taken are answered. Pre: {@link stopTaking}. */
  async close(): Promise<void> {
    await Promise.all([this.#answered, ended(this.#listening.server)])
  }

  get #isPublished(): boolean {
    return fs.lstatSync(this.#path, { throwIfNoEntry: false })?.ino === this.#listening.inode
  }
}

interface Listening {
  readonly server: http.Server
  readonly inode: number
}

const bindingPath = (path: string) => path.replace(/sock$/, 'next')

async function listen(path: string, handle: ControlHandler): Promise<Listening> {
  fs.rmSync(path, { force: true })
  const server = http.createServer((request, response) => void answer(request, response, handle))
  // The mode must be right from the start, not a moment later.
  const umask = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', caught => reject(toReleaseError(caught)))
      server.listen(path, resolve)
    })
  } finally {
    process.umask(umask)
  }
  return { server, inode: fs.lstatSync(path).ino }
}

/** Connections that wait to be accepted were made before nobody found us any more: to close would cut them. */
async function stopListening(server: http.Server): Promise<void> {
  let accepted = -1
  let seen = 0
  server.on('connection', () => {
    seen += 1
  })
  while (accepted < seen) {
    accepted = seen
    // From one of these to the next what waits is looked for, and one of those that wait is accepted.
    await nextTurn()
    await nextTurn()
  }
  // Not HTTP's own, which cuts those that have said nothing yet.
  net.Server.prototype.close.call(server)
  setTimeout(() => server.closeIdleConnections(), idleMs).unref()
}

/** Wait until every connection has ended. */
async function ended(server: http.Server): Promise<void> {
  const connections = promisify(server.getConnections.bind(server))
  if ((await connections()) > 0) await once(server, 'close')
}

/** How long a connection may be idle once no more are accepted: who connects asks at once, as soon as the machine lets it. */
const idleMs = 2000

async function answer(request: IncomingMessage, response: ServerResponse, handle: ControlHandler): Promise<void> {
  let result: ControlResponse
  try {
    if (request.method !== 'POST' || request.url !== '/control') {
      throw new ReleaseError('GATE_REQUEST_INVALID', `${request.method} ${request.url} is not a control request`)
    }
    result = await handle(parseControlRequest(await readText(request)))
  } catch (caught) {
    const { code, message, hint } = toReleaseError(caught)
    result = { ok: false, code, message, hint }
  }
  const text = JSON.stringify(result)
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    connection: 'close',
  })
  response.end(text)
}

async function readText(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  let sizeBytes = 0
  for await (const piece of request) {
    pieces.push(piece)
    sizeBytes += piece.length
    if (sizeBytes > largestRequestBytes) throw new ReleaseError('GATE_REQUEST_INVALID', 'a control request is too long')
  }
  return Buffer.concat(pieces).toString()
}
