import fs from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import { ReleaseError, toReleaseError } from '../../core/error.ts'
import { unixAddress } from '../front/address.ts'
import { parseControlRequest } from './control-request.ts'
import type { ControlRequest, ControlResponse } from './protocol.ts'

const largestRequestBytes = 64 * 1024

/** Answers control requests; what it throws is told to whoever asked. */
export type ControlHandler = (request: ControlRequest) => Promise<ControlResponse>

/**
 * Listen for control requests on a unix socket that only our own user can use.
 *
 * Pre: no other process serves the prefix (a lock holds that), so a socket that lies there is dead. Post: closing removes it.
 * Errors: GATE_ADDRESS_INVALID.
 */
export async function listenForControl(
  socketPath: string,
  handle: ControlHandler,
): Promise<{ readonly close: () => Promise<void> }> {
  const { path } = unixAddress(socketPath)
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
  return {
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeIdleConnections()
      }),
  }
}

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
