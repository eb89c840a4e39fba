import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseProxyHeader } from '../../../../src/gate/edge/proxy-header.ts'
import { proxyBlock, proxyLine } from '../../../support/proxy-protocol.ts'

const read = (text: string) => parseProxyHeader(Buffer.from(text, 'latin1'))

const tcp = (from: string, fromPort: number, to: string, toPort: number) => ({
  kind: 'tcp',
  source: { address: from, port: fromPort },
  destination: { address: to, port: toPort },
})

describe('version 1', () => {
  it.each([
    ['PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n', tcp('192.0.2.1', 56_324, '198.51.100.1', 443)],
    ['PROXY TCP6 2001:db8::1 ::1 0 65535\r\n', tcp('2001:db8::1', 0, '::1', 65_535)],
    ['PROXY UNKNOWN\r\n', { kind: 'self' }],
    ['PROXY UNKNOWN ffff::1 whatever it says\r\n', { kind: 'self' }],
  ])('reads %j', (text, sender) => {
    expect(read(text)).toEqual({ kind: 'header', sender, sizeBytes: text.length })
    expect(read(`${text}GET / HTTP/1.1\r\n`)).toEqual({ kind: 'header', sender, sizeBytes: text.length })
  })

  it.each([
    'GET / HTTP/1.1\r\n',
    'proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n',
    'PROXY\tTCP4 192.0.2.1 198.51.100.1 1 2\r\n',
    'PROXY TCP4 192.0.2.1  198.51.100.1 1 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.1 -1 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.1 1 2 \r\n',
    'PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n',
    'PROXY TCP4 192.0.2.01 198.51.100.1 1 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n',
    'PROXY TCP5 192.0.2.1 198.51.100.1 1 2\r\n',
    'PROXY UNKNOWNX\r\n',
    `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`,
    `PROXY ${'x'.repeat(200)}`,
    'PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n\r\n',
  ])('refuses %j', text => expect(read(text).kind).toBe('invalid'))

  it('takes a line of 107 bytes, and no longer one', () => {
    expect(read(`PROXY UNKNOWN ${'x'.repeat(91)}\r\n`)).toMatchObject({ kind: 'header', sizeBytes: 107 })
    expect(read('x').kind).toBe('invalid')
    expect(read(`PROXY UNKNOWN ${'x'.repeat(92)}`)).toEqual({ kind: 'partial' })
  })
})

describe('version 2', () => {
  const v4 = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 4, 1, 187]
  it('reads IPv4 and skips what follows the addresses', () => {
    const bytes = proxyBlock({ family: 0x11, rest: Buffer.from([...v4, 4, 0, 1, 7]) })
    const sender = tcp('192.0.2.1', 56_324, '198.51.100.1', 443)
    expect(parseProxyHeader(Buffer.concat([bytes, Buffer.from('GET')]))).toEqual({
      kind: 'header',
      sender,
      sizeBytes: 32,
    })
  })

  it('reads IPv6 in its shortest form', () => {
    const rest = Buffer.alloc(36)
    rest.write('20010db8', 0, 'hex')
    rest.writeUInt8(9, 15)
    rest.writeUInt8(1, 31)
    rest.writeUInt16BE(80, 32)
    expect(parseProxyHeader(proxyBlock({ family: 0x21, rest }))).toMatchObject({
      sender: tcp('2001:db8::9', 80, '::1', 0),
    })
  })

  it.each([
    ['a unix socket', { family: 0x31, rest: Buffer.alloc(216) }, { kind: 'unix' }],
    ['no family', { family: 0x00, rest: Buffer.alloc(0) }, { kind: 'self' }],
    ['a connection of the proxy itself', { command: 0, family: 0x11, rest: Buffer.from(v4) }, { kind: 'self' }],
    ['one that says nothing else', { command: 0, family: 0xff, rest: Buffer.alloc(3) }, { kind: 'self' }],
  ])('knows %s', (_what, block, sender) => {
    expect(parseProxyHeader(proxyBlock(block))).toMatchObject({ kind: 'header', sender })
  })

  it.each([
    ['another version', { version: 1, family: 0x11, rest: Buffer.from(v4) }],
    ['another command', { command: 2, family: 0x11, rest: Buffer.from(v4) }],
    ['another family', { family: 0x41, rest: Buffer.from(v4) }],
    ['another transport', { family: 0x13, rest: Buffer.from(v4) }],
    ['half an IPv4 address', { family: 0x11, rest: Buffer.from(v4.slice(0, 11)) }],
    ['half an IPv6 address', { family: 0x21, rest: Buffer.alloc(35) }],
    ['half a path', { family: 0x31, rest: Buffer.alloc(215) }],
    ['more than is read', { family: 0x11, rest: Buffer.alloc(4081) }],
  ])('refuses %s', (_what, block) => expect(parseProxyHeader(proxyBlock(block)).kind).toBe('invalid'))

  it('refuses what is too long before it has come', () => {
    const bytes = proxyBlock({ family: 0x11, rest: Buffer.alloc(60_000) }).subarray(0, 16)
    expect(parseProxyHeader(bytes).kind).toBe('invalid')
  })
})

const address4 = fc.ipV4()
const port = fc.integer({ min: 0, max: 65_535 })

describe('any header', () => {
  it('is partial up to its last byte, then read, whatever follows', () => {
    const line = fc.record({ from: address4, to: address4, fromPort: port, toPort: port }).map(proxyLine)
    const block = fc
      .record({
        command: fc.constantFrom(0, 1),
        family: fc.constantFrom(0x00, 0x11, 0x12, 0x21, 0x31, 0x32),
        rest: fc.uint8Array({ minLength: 216, maxLength: 300 }).map(bytes => Buffer.from(bytes)),
      })
      .map(proxyBlock)
    fc.assert(
      fc.property(fc.oneof(line, block), fc.uint8Array({ maxLength: 20 }), (bytes, more) => {
        for (let sizeBytes = 0; sizeBytes < bytes.length; sizeBytes += 1)
          expect(parseProxyHeader(bytes.subarray(0, sizeBytes)).kind).toBe('partial')
        expect(parseProxyHeader(Buffer.concat([bytes, more]))).toMatchObject({
          kind: 'header',
          sizeBytes: bytes.length,
        })
      }),
      { numRuns: 50 },
    )
  })

  it('that is changed anywhere is read as a header of bounded length, waited for, or refused, and never throws', () => {
    const start = fc.constantFrom(
      proxyLine({ from: '192.0.2.1', to: '192.0.2.2', fromPort: 1, toPort: 2 }),
      proxyBlock({ family: 0x11, rest: Buffer.alloc(12) }),
      proxyBlock({ family: 0x21, rest: Buffer.alloc(40) }),
    )
    fc.assert(
      fc.property(start, fc.array(fc.tuple(fc.nat(60), fc.nat(255))), fc.uint8Array(), (good, changes, more) => {
        const bytes = Buffer.concat([good, more])
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
        const found = parseProxyHeader(bytes)
        if (found.kind === 'header') expect(found.sizeBytes).toBeLessThanOrEqual(Math.min(bytes.length, 4096))
        if (found.kind === 'partial') expect(bytes.length).toBeLessThan(4096)
      }),
    )
  })
})
