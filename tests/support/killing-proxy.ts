import net from 'node:net'

/** A way to a server that says when so many bytes have gone there. It lasts as long as the test file. */
export interface KillingProxy {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly onReached: (call: () => void) => void
}

/** Open a way to a server on loopback. */
export async function killingProxy(host: string, afterBytes: number): Promise<KillingProxy> {
  let reached = () => {}
  let left = afterBytes
  const server = net.createServer(client => {
    const upstream = net.connect(Number(host.split(':')[1]), '127.0.0.1')
    client.on('data', piece => {
      left -= piece.length
      if (left <= 0) reached()
    })
    client.pipe(upstream).pipe(client)
    for (const socket of [client, upstream]) socket.on('error', () => {})
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  const { port } = server.address() as net.AddressInfo
  const onReached = (call: () => void) => {
    reached = call
  }
  return { host: `127.0.0.1:${port}`, onReached }
}
