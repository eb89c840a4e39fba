import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll } from 'vitest'

/** How a server of one file behaves; changed between requests by the test. */
export interface RangeServerBehaviour {
  /** Answer 200 with the whole, whatever range is asked for. */
  ignoreRanges?: boolean
  /** Break the connection after so many bytes of a body, so many times. */
  breakAfterBytes?: number
  breaksLeft?: number
  /** End the body early without breaking the connection: fewer bytes than were asked for. */
  endAfterBytes?: number
  status?: number
}

export interface RangeServer {
  readonly url: string
  /** The ranges asked for, `start-end` with the end included, or `all`. */
  readonly requests: string[]
  readonly behaviour: RangeServerBehaviour
}

/** Serve some bytes over HTTP with ranges on loopback, until the test file ends. */
export async function rangeServer(bytes: Uint8Array): Promise<RangeServer> {
  const requests: string[] = []
  const behaviour: RangeServerBehaviour = {}
  const server = http.createServer((request, response) => {
    const range = behaviour.ignoreRanges ? undefined : request.headers.range?.slice('bytes='.length)
    requests.push(range ?? 'all')
    const [start = 0, end = bytes.byteLength - 1] = (range ?? '')
      .split('-')
      .map(Number)
      .filter((_, index) => range !== undefined && index < 2)
    const body = bytes.subarray(start, end + 1)
    answer(response, body, range === undefined ? 200 : 206, behaviour)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => new Promise(resolve => server.close(resolve)))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/file`, requests, behaviour }
}

function answer(
  response: http.ServerResponse,
  body: Uint8Array,
  status: number,
  behaviour: RangeServerBehaviour,
): void {
  if (behaviour.endAfterBytes !== undefined) body = body.subarray(0, behaviour.endAfterBytes)
  response.writeHead(behaviour.status ?? status, { 'content-length': body.byteLength, connection: 'close' })
  if (behaviour.breakAfterBytes !== undefined && (behaviour.breaksLeft ?? 0) > 0) {
    behaviour.breaksLeft = (behaviour.breaksLeft ?? 0) - 1
    response.write(body.subarray(0, behaviour.breakAfterBytes), () => response.destroy())
    return
  }
  response.end(body)
}
