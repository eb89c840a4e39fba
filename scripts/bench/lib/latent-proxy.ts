/*
 * node scripts/bench/lib/latent-proxy.ts PORT MILLISECONDS
 *
 * Pass connections on to a port of this machine, each request that much later: as far away as a round trip takes that long. Prints its own port.
 */
import net, { type AddressInfo } from 'node:net'

const [upstreamPort, latencyMs] = process.argv.slice(2).map(Number)

const server = net.createServer(client => {
  const upstream = net.connect({ host: '127.0.0.1', port: upstreamPort! })
  client.on('data', bytes => setTimeout(() => upstream.write(bytes), latencyMs))
  upstream.pipe(client)
  for (const [socket, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    socket.on('error', () => other.destroy()).once('close', () => other.destroy())
  }
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
