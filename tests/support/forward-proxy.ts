import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { afterAll } from 'vitest'

const running = new Set<() => unknown>()
// Here, for a hook that is registered while a test runs is never called.
afterAll(() => Promise.all([...running].map(end => end())))

/** A proxy for HTTP on loopback, to which every name is the same server. */
export interface ForwardProxy {
  readonly url: string
  /** What it was asked for: `GET http://…`, `CONNECT host:port`, with the credentials that came along. */
  readonly requests: string[]
  /** Refuse with this status instead of passing on; undefined again to pass on. */
  refuse: number | undefined
  /** Wait so long before a request is passed on. */
  delayMs: number
  /** The most requests that were under way at once. */
  mostAtOnce: number
}

/** Run a proxy that passes everything on to a port of this machine. Source: RFC 9110 §7.3.2, §9.3.6. */
export async function forwardProxy(upstreamPort: number): Promise<ForwardProxy> {
  const server = http.createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const proxy: ForwardProxy = {
    url: `http://127.0.0.1:${port}`,
    requests: [],
    refuse: undefined,
    delayMs: 0,
    mostAtOnce: 0,
  }
  let underWay = 0
  const note = ({ method, url, headers }: http.IncomingMessage) =>
    proxy.requests.push([method, url, headers['proxy-authorization']].filter(word => word !== undefined).join(' '))
  server.on('request', async (request, response) => {
    note(request)
    if (proxy.refuse !== undefined) return void response.writeHead(proxy.refuse).end()
    underWay += 1
    proxy.mostAtOnce = Math.max(proxy.mostAtOnce, underWay)
    response.once('close', () => (underWay -= 1))
    if (proxy.delayMs > 0) await new Promise(resolve => setTimeout(resolve, proxy.delayMs))
    const { pathname, search } = new URL(request.url ?? '/', proxy.url)
    const headers = { ...request.headers }
    delete headers['proxy-authorization']
    const options = { host: '127.0.0.1', port: upstreamPort, method: request.method, path: pathname + search, headers }
    const passed = http.request(options, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    response.once('close', () => passed.destroy())
    passed.on('error', () => response.destroy())
    request.pipe(passed)
  })
  server.on('connect', (request, client, head) => {
    note(request)
    client.on('error', () => {})
    if (proxy.refuse !== undefined) return void client.end(`HTTP/1.1 ${proxy.refuse} No\r\n\r\n`)
    const upstream = net.connect({ host: '127.0.0.1', port: upstreamPort }, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.write(head)
      upstream.pipe(client).pipe(upstream)
    })
    upstream.on('error', () => client.destroy())
    client.once('close', () => upstream.destroy())
  })
  running.add(() => {
    server.closeAllConnections()
    return new Promise(resolve => server.close(resolve))
  })
  return proxy
}
