import { expect, it } from 'vitest'
import { formatAddress, parseAddress, reachableAddress } from '../../../../src/gate/front/address.ts'

it.each(['127.0.0.1:8080', 'localhost:0', '[::1]:65535', 'unix:/run/app.sock'])(
  'reads %s and writes it again',
  text => {
    expect(formatAddress(parseAddress(text))).toBe(text)
  },
)

it.each(['', '8080', 'host', ':80', 'host:65536', '::1:80', 'unix:', 'unix:relative', `unix:/${'x'.repeat(107)}`])(
  'refuses %s',
  text => {
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: 'GATE_ADDRESS_INVALID' }))
  },
)

it('reaches a wildcard by loopback', () => {
  expect(reachableAddress(parseAddress('0.0.0.0:1'))).toMatchObject({ host: '127.0.0.1' })
  expect(reachableAddress(parseAddress('[::]:1'))).toMatchObject({ host: '::1' })
  expect(reachableAddress(parseAddress('192.0.2.1:1'))).toMatchObject({ host: '192.0.2.1' })
})
