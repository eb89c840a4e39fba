import { describe, expect, it } from 'vitest'
import { type RequestContext, requestHeaders, responseHeaders } from '../../../../src/gate/http1/headers.ts'

const stranger: RequestContext = {
  method: 'GET',
  httpVersion: '1.1',
  framing: { kind: 'none' },
  remoteAddress: '192.0.2.7',
  targetHost: undefined,
  upgrade: undefined,
}

function sent(raw: readonly string[], context: Partial<RequestContext> = {}): readonly (readonly [string, string])[] {
  const flat = requestHeaders(raw, { ...stranger, ...context })
  return flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]!] as const] : []))
}

function value(pairs: readonly (readonly [string, string])[], name: string): string | undefined {
  return pairs.find(([found]) => found.toLowerCase() === name)?.[1]
}

describe('requestHeaders', () => {
  it('removes what belongs to one connection, and what Connection names', () => {
    const raw = ['Host', 'a', 'Connection', 'keep-alive, X-Hop', 'X-Hop', '1', 'TE', 'trailers', 'Keep-Alive', '5']
    expect(sent([...raw, 'X-Stays', '1']).map(([name]) => name)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(connection|x-hop|te|keep-alive)$/i)]),
    )
    expect(value(sent([...raw, 'X-Stays', '1']), 'x-stays')).toBe('1')
  })

  it('lets no client strip framing, routing or our own fields through Connection', () => {
    const raw = ['Host', 'a', 'Content-Length', '3', 'Connection', 'Host, Content-Length, X-Forwarded-For, Via']
    const pairs = sent(raw, { method: 'POST', framing: { kind: 'length', sizeBytes: 3 } })
    expect(value(pairs, 'host')).toBe('a')
    expect(value(pairs, 'content-length')).toBe('3')
    expect(value(pairs, 'x-forwarded-for')).toBe('192.0.2.7')
    expect(value(pairs, 'via')).toBe('1.1 cutover')
  })

  it('replaces what a stranger says of the original client', () => {
    const raw = [
      'Host',
      'a',
      'X-Forwarded-For',
      '10.0.0.1',
      'X-Forwarded-Proto',
      'https',
      'Forwarded',
      'for=x',
      'X-Real-IP',
      '1',
    ]
    const pairs = sent(raw)
    expect(value(pairs, 'x-forwarded-for')).toBe('192.0.2.7')
    expect(value(pairs, 'x-forwarded-proto')).toBe('http')
    expect(value(pairs, 'x-forwarded-host')).toBe('a')
    expect(value(pairs, 'forwarded')).toBeUndefined()
    expect(value(pairs, 'x-real-ip')).toBeUndefined()
  })

  it.each(['127.0.0.1', '::1', '::ffff:127.0.0.1', undefined])('believes a terminator on this machine (%s)', peer => {
    const raw = ['Host', 'a', 'X-Forwarded-For', '10.0.0.1', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'public']
    const pairs = sent(raw, { remoteAddress: peer })
    expect(value(pairs, 'x-forwarded-for')).toBe(peer === undefined ? '10.0.0.1' : `10.0.0.1, ${peer}`)
    expect(value(pairs, 'x-forwarded-proto')).toBe('https')
    expect(value(pairs, 'x-forwarded-host')).toBe('public')
  })

  it('says how the body is delimited, once', () => {
    expect(value(sent(['Transfer-Encoding', 'chunked'], { framing: { kind: 'chunked' } }), 'transfer-encoding')).toBe(
      'chunked',
    )
    expect(value(sent([], { method: 'POST' }), 'content-length')).toBe('0')
    expect(value(sent([], { method: 'GET' }), 'content-length')).toBeUndefined()
    expect(sent(['Content-Length', '0'], { method: 'PUT' }).filter(([name]) => name === 'Content-Length')).toHaveLength(
      1,
    )
  })

  it('lets the host of an absolute target win', () => {
    expect(value(sent(['Host', 'a'], { targetHost: 'b' }), 'host')).toBe('b')
  })

  it('keeps case, order and repetition of everything else', () => {
    const raw = ['X-b', '1', 'x-A', '2', 'Cookie', 'a', 'Cookie', 'b']
    expect(sent(raw).slice(0, 4)).toEqual([
      ['X-b', '1'],
      ['x-A', '2'],
      ['Cookie', 'a'],
      ['Cookie', 'b'],
    ])
  })

  it('carries an upgrade on', () => {
    const pairs = sent(['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Key', 'k'], {
      upgrade: 'websocket',
    })
    expect(value(pairs, 'connection')).toBe('Upgrade')
    expect(value(pairs, 'upgrade')).toBe('websocket')
    expect(value(pairs, 'sec-websocket-key')).toBe('k')
  })
})

describe('responseHeaders', () => {
  it('removes hop-by-hop fields and keeps every Set-Cookie', () => {
    const raw = [
      'Set-Cookie',
      'a',
      'set-cookie',
      'b',
      'Connection',
      'close, X-Hop',
      'X-Hop',
      '1',
      'Transfer-Encoding',
      'chunked',
    ]
    expect(responseHeaders(raw, false)).toEqual(['Set-Cookie', 'a', 'set-cookie', 'b'])
  })

  it('says that the connection ends when it does', () => {
    expect(responseHeaders(['A', '1'], true)).toEqual(['A', '1', 'Connection', 'close'])
  })
})
