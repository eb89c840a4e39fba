import { expect, it } from 'vitest'
import { parseProxyHeader } from '../../../../src/gate/edge/proxy-header.ts'
import { Peer } from '../../../../src/gate/http1/peer.ts'
import { proxyProtocolHeader } from '../../../../src/gate/http1/proxy-protocol.ts'

function peer(from: string | undefined, to: string | undefined): Peer {
  const remotePort = from === undefined ? undefined : 40_000
  return new Peer(
    { remoteAddress: from, remotePort, peerAddress: from, isSecure: false },
    { isTrusted: false, destination: to === undefined ? undefined : { address: to, port: 443 } },
  )
}

it.each([
  ['192.0.2.7', '198.51.100.1', '192.0.2.7', '198.51.100.1'],
  ['::ffff:192.0.2.7', '198.51.100.1', '192.0.2.7', '198.51.100.1'],
  ['2001:db8::7', '2001:db8:0:1::', '2001:db8::7', '2001:db8:0:1::'],
  ['fe80::1%eth0', '::1', 'fe80::1', '::1'],
  ['::', '1:2:3:4:5:6:7:8', '::', '1:2:3:4:5:6:7:8'],
])('says that %s connected to %s, in both versions', (from, to, address, target) => {
  for (const version of ['v1', 'v2'] as const) {
    const header = proxyProtocolHeader(version, peer(from, to))
    expect(parseProxyHeader(header)).toEqual({
      kind: 'header',
      sender: { kind: 'tcp', source: { address, port: 40_000 }, destination: { address: target, port: 443 } },
      sizeBytes: header.length,
    })
  }
})

it.each([
  [undefined, undefined],
  ['192.0.2.7', undefined],
  ['192.0.2.7', '2001:db8::1'],
])('says that it is not known that %s connected to %s', (from, to) => {
  expect(proxyProtocolHeader('v1', peer(from, to)).toString()).toBe('PROXY UNKNOWN\r\n')
  const block = proxyProtocolHeader('v2', peer(from, to))
  expect(parseProxyHeader(block)).toEqual({ kind: 'header', sender: { kind: 'self' }, sizeBytes: 16 })
})
