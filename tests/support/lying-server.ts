import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll } from 'vitest'

/** How a file is answered instead of by its bytes. `key` is its path below the repository. */
export type Lie = (
  response: http.ServerResponse,
  asked: {
    readonly key: string
    readonly range: readonly [number, number] | undefined
    readonly truth: Buffer | undefined
  },
) => void

/** A server of a repository, or a mirror of it, that tells the truth but where it is told to lie. */
export interface LyingServer {
  readonly url: string
  /** The lies, by what the key has in it; the first that fits. */
  readonly lies: Map<string, Lie>
  /** What was asked for. */
  readonly requests: string[]
  /** How many bytes went out over connections that have ended. */
  readonly sentBytes: () => number
}

/** Serve a folder on loopback, until the test file ends. */
export async function lyingServer(folder: string): Promise<LyingServer> {
  const lies = new Map<string, Lie>()
  const requests: string[] = []
  let sentBytes = 0
  const server = http.createServer((request, response) => {
    const key = decodeURIComponent(new URL(request.url!, 'http://localhost').pathname.slice(1))
    requests.push(key)
    const file = path.join(folder, key)
    const truth = fs.statSync(file, { throwIfNoEntry: false })?.isFile() ? fs.readFileSync(file) : undefined
    const asked = { key, range: rangeOf(request.headers.range), truth }
    const lie = [...lies].find(([part]) => key.includes(part))?.[1] ?? honest
    lie(response, asked)
  })
  server.on('connection', socket => {
    socket.once('close', () => {
      sentBytes += socket.bytesWritten
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, lies, requests, sentBytes: () => sentBytes }
}

function rangeOf(header: string | undefined): readonly [number, number] | undefined {
  const match = /^bytes=(\d+)-(\d+)$/.exec(header ?? '')
  return match === null ? undefined : [Number(match[1]), Number(match[2])]
}

/** The file as it is. */
export const honest: Lie = (response, { range, truth }) => send(response, range, truth)

/** Other bytes in the place of a file. */
export const insteadOf =
  (change: (truth: Buffer) => Buffer): Lie =>
  (response, { range, truth }) =>
    send(response, range, truth === undefined ? undefined : change(truth))

function send(response: http.ServerResponse, range: readonly [number, number] | undefined, bytes: Buffer | undefined) {
  if (bytes === undefined) return void response.writeHead(404).end()
  if (range === undefined) return void response.writeHead(200, { 'content-length': bytes.byteLength }).end(bytes)
  const [start, last] = range
  const body = bytes.subarray(start, last + 1)
  const headers = {
    'content-length': body.byteLength,
    'content-range': `bytes ${start}-${start + body.byteLength - 1}/${bytes.byteLength}`,
  }
  return void response.writeHead(206, headers).end(body)
}

/** A bit changed somewhere in each answer. */
export const flipped: Lie = insteadOf(truth => {
  const bytes = Buffer.from(truth)
  bytes[bytes.byteLength >> 1]! ^= 1
  return bytes
})

/** Sends until the client goes away, whatever it was asked for. */
export const endless: Lie = (response, { range }) => {
  const [start, last] = range ?? [0, 0]
  if (range === undefined) response.writeHead(200)
  else response.writeHead(206, { 'content-range': `bytes ${start}-${last}/99999999999` })
  pour(response)
}

/** Says that it sends ten terabytes, and begins to. */
export const hugeLength: Lie = response => {
  response.writeHead(200, { 'content-length': 10_000_000_000_000 })
  pour(response)
}

function pour(response: http.ServerResponse): void {
  const block = Buffer.alloc(64 * 1024, ' ')
  const more = () => {
    while (!response.destroyed) if (!response.write(block)) return
  }
  response.on('drain', more)
  more()
}

/** Sends the client somewhere else. */
export const redirectTo =
  (location: string): Lie =>
  response =>
    void response.writeHead(302, { location }).end()

/** Says that what it sends is compressed. */
export const compressed =
  (bytes: Buffer): Lie =>
  response =>
    void response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': bytes.byteLength }).end(bytes)
