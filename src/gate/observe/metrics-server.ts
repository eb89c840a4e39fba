import http from 'node:http'
import { type Address, formatAddress } from '../front/address.ts'
import { listenError, removeDeadSocket } from '../http1/server.ts'

/** A place where metrics are fetched. */
export interface MetricsServer {
  readonly address: string
  readonly close: () => Promise<void>
}

/** Whoever watches asks a few times a minute; a connection that says nothing is not kept. */
const requestTimeoutMs = 5000

/**
 * Show metrics at `GET /metrics` of an address, and nothing else there.
 *
 * Errors: GATE_ADDRESS_IN_USE, GATE_ADDRESS_INVALID.
 */
export async function serveMetrics(address: Address, render: () => string): Promise<MetricsServer> {
  const server = http.createServer(
    { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs },
    (request, response) => {
      const isAsked = request.method === 'GET' && request.url === '/metrics'
      const text = isAsked ? render() : 'Metrics are at /metrics.\n'
      response.writeHead(isAsked ? 200 : 404, {
        'content-type': isAsked ? 'text/plain; version=0.0.4; charset=utf-8' : 'text/plain; charset=utf-8',
        'content-length': Buffer.byteLength(text),
        connection: 'close',
      })
      response.end(text)
    },
  )
  if (address.kind === 'unix') await removeDeadSocket(address.path)
  await new Promise<void>((resolve, reject) => {
    server.once('error', caught => reject(listenError(caught, { kind: 'address', address })))
    server.listen(
      address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port },
      resolve,
    )
  })
  const bound = server.address()
  return {
    address:
      typeof bound === 'object' && bound !== null
        ? formatAddress({ kind: 'tcp', host: bound.address, port: bound.port })
        : formatAddress(address),
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
