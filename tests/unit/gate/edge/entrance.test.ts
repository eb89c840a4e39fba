import net from 'node:net'
import { expect, it } from 'vitest'
import { type Arrival, Entrance } from '../../../../src/gate/edge/entrance.ts'

/** An entrance without anything before HTTP, and who came in by it. */
function entrance() {
  const came: Arrival[] = []
  const speakers = { http1: (_socket: unknown, arrival: Arrival) => void came.push(arrival), http2: () => {} }
  const entered = new Entrance({ proxyProtocol: false, tls: undefined, isTrusted: () => true, speakers })
  return { came, entered }
}

function socketAt(ends: { readonly localAddress?: string; readonly remoteAddress?: string }): net.Socket {
  const socket = new net.Socket()
  for (const [name, value] of Object.entries(ends)) Object.defineProperty(socket, name, { value })
  return socket
}

it('cuts off who has hung up before it was asked who it is: without an address it would be taken for a peer on a unix socket', () => {
  const { came, entered } = entrance()
  const socket = socketAt({ localAddress: '127.0.0.1' })
  entered.accept(socket)
  expect([came, socket.destroyed]).toEqual([[], true])
})

it('lets a peer on a unix socket in, which has no address', () => {
  const { came, entered } = entrance()
  entered.accept(socketAt({}))
  const nobody = { remoteAddress: undefined, remotePort: undefined, peerAddress: undefined, isSecure: false }
  expect(came).toEqual([{ origin: nobody, destination: undefined }])
})

it('names a client of IPv4 as such on a socket for both families', () => {
  const { came, entered } = entrance()
  entered.accept(socketAt({ localAddress: '::ffff:192.0.2.1', remoteAddress: '::ffff:192.0.2.9' }))
  expect(came[0]).toMatchObject({
    origin: { remoteAddress: '192.0.2.9', peerAddress: '192.0.2.9' },
    destination: { address: '192.0.2.1' },
  })
})
