import net, { type AddressInfo } from 'node:net'
import { afterAll } from 'vitest'

const running = new Set<() => unknown>()
// Here, for a hook that is registered while a test runs is never called.
afterAll(() => Promise.all([...running].map(end => end())))

/** Passes TCP connections on, and cuts them. */
export interface CuttingProxy {
  readonly port: number
  /** Cut each of the next connections after so many bytes of that direction; the others are passed on whole. */
  cutNext: (cuts: readonly { readonly direction: 'up' | 'down'; readonly afterBytes: number }[]) => void
  /** How many were cut. */
  readonly cuts: () => number
}

/** Run a proxy before a port of this machine. */
export async function cuttingProxy(upstreamPort: number): Promise<CuttingProxy> {
  let planned: { readonly direction: 'up' | 'down'; readonly afterBytes: number }[] = []
  let done = 0
  const sockets = new Set<net.Socket>()
  const server = net.createServer(client => {
    const upstream = net.connect({ host: '127.0.0.1', port: upstreamPort })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {}).once('close', () => sockets.delete(socket))
    }
    client.once('close', () => upstream.destroy())
    upstream.once('close', () => client.destroy())
    const pass = (direction: 'up' | 'down', from: net.Socket, to: net.Socket) => {
      let passedBytes = 0
      from.on('data', (bytes: Buffer) => {
        const [cut] = planned
        if (cut?.direction === direction && passedBytes + bytes.byteLength > cut.afterBytes) {
          planned = planned.slice(1)
          done += 1
          to.write(bytes.subarray(0, cut.afterBytes - passedBytes), () => {
            client.resetAndDestroy()
            upstream.destroy()
          })
          return
        }
        passedBytes += bytes.byteLength
        to.write(bytes)
      })
    }
    pass('up', client, upstream)
    pass('down', upstream, client)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  running.add(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise(resolve => server.close(resolve))
  })
  return {
    port: (server.address() as AddressInfo).port,
    cutNext: cuts => {
      planned = [...cuts]
    },
    cuts: () => done,
  }
}
