import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { makeCertificate } from '../support/certificates.ts'
import { type OpenGate, openLastingGateBefore } from '../support/gate-front.ts'
import {
  errors,
  type Frame,
  type FrameClient,
  fieldBlock,
  flags,
  frame,
  frameClient,
  frameTypes,
  head,
  pseudo,
  setting,
  uint32,
} from '../support/http2-frames.ts'
import { type RecordingApp, recordingApp } from '../support/recording-app.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'
import { until } from '../support/toy-prefix.ts'

/*
 * What no client of HTTP/2 would send. Each case is told off by a reset of its stream, by the end of its connection, or by 400, and none of
 * it reaches the application; others are served after it. Most are cases of h2spec, written anew from RFC 9113.
 */
type Field = readonly [name: string, value: string]

describe.skipIf(!needTool('openssl'))('a client of HTTP/2', () => {
  let app: RecordingApp
  let gate: OpenGate
  beforeAll(async () => {
    app = await recordingApp()
    const files = makeCertificate(tempFolder(), 'localhost')
    gate = await openLastingGateBefore(
      app.port,
      { tls: { ...files, http2: true } },
      { proxyProtocol: false, tls: true },
    )
  })
  afterAll(() => {
    gate.close()
    app.close()
  })
  beforeEach(() => {
    app.forget()
    gate.front.enter('pass')
  })

  const get = (path = '/') => pseudo('GET', path)
  const post = () => pseudo('POST', '/')
  const answers = (stream: number) => (each: Frame) => each.type === frameTypes.headers && each.stream === stream
  const resets = (stream: number) => (each: Frame) => each.type === frameTypes.reset && each.stream === stream
  const goesAway = (each: Frame) => each.type === frameTypes.goAway
  /** The indexed fields `:status: 200` and `:status: 400`. Source: RFC 7541, appendix A. */
  const [ok, badRequest] = [0x88, 0x8c]

  /** The code that a stream was reset with, or its connection ended, or 400 when it was answered so. */
  async function refusal(client: FrameClient, stream: number): Promise<number> {
    const told = await client.next(each => resets(stream)(each) || answers(stream)(each) || goesAway(each))
    if (told.type === frameTypes.reset) return told.payload.readUInt32BE()
    if (told.type === frameTypes.goAway) return told.payload.readUInt32BE(4)
    expect(told.payload[0]).toBe(badRequest)
    return 400
  }

  /** The code that the connection ended with. */
  async function ending(client: FrameClient): Promise<number> {
    const told = await client.next(goesAway)
    await client.ended
    return told.payload.readUInt32BE(4)
  }

  /** That others are served, and that nothing but that reached the application. */
  async function serves(): Promise<void> {
    const client = await frameClient(gate.port)
    client.send(head(1, get('/after')))
    expect((await client.next(answers(1))).payload[0]).toBe(ok)
    client.close()
    expect(app.seen.map(({ target }) => target)).toEqual(['/after'])
    expect(app.faults).toEqual([])
  }

  describe('has a request refused', () => {
    const without = (name: string) => get().filter(field => field[0] !== name)
    it.each([
      ['without a method', without(':method')],
      ['without a path', without(':path')],
      ['without a scheme', without(':scheme')],
      ['with an empty path', get('')],
      ['with a path of another server', get('http://evil.example/')],
      ['with a path that hides a request', get('/ HTTP/1.1\r\nHost: a\r\n\r\nGET /inner')],
      ['with a space in its path', get('/a b')],
      ['with a method that hides a request', pseudo('GET / HTTP/1.1\r\nX:', '/')],
      ['with two methods', [...get(), [':method', 'POST']]],
      ['with a pseudo field behind others', [['accept', '*/*'], ...get()]],
      ['with a pseudo field of answers', [...get(), [':status', '200']]],
      ['with an unknown pseudo field', [...get(), [':x', 'y']]],
      ['that asks for another protocol', [...pseudo('CONNECT', '/'), [':protocol', 'websocket']]],
      ['with a name in upper case', [...get(), ['X-A', 'b']]],
      ['with another host', [...get(), ['host', 'evil.example']]],
      [
        'with a host that hides a field',
        get().map(([name, value]) => [name, name === ':authority' ? 'a\r\nx: y' : value]),
      ],
      ['with a connection', [...get(), ['connection', 'close']]],
      ['with a coding', [...get(), ['transfer-encoding', 'chunked']]],
      ['with an upgrade', [...get(), ['upgrade', 'h2c']]],
      ['with a coding of trailers', [...get(), ['te', 'gzip']]],
      ['with two lengths', [...post(), ['content-length', '1'], ['content-length', '2']]],
      ['with a length that is none', [...post(), ['content-length', '+1']]],
      ['with a length and nothing behind it', [...post(), ['content-length', '5']]],
    ] as [string, Field[]][])('%s', async (_what, fields) => {
      const client = await frameClient(gate.port)
      client.send(head(1, fields))
      expect([errors.protocol, 400]).toContain(await refusal(client, 1))
      client.close()
      await serves()
    })

    it.each([
      ['shorter than it was told', '3', ['ab']],
      ['longer than it was told', '3', ['abcd']],
    ])('whose body is %s', async (_what, length, pieces) => {
      const client = await frameClient(gate.port)
      client.send(head(1, [...post(), ['content-length', length]], false))
      for (const [index, piece] of pieces.entries()) {
        client.send(frame(frameTypes.data, 1, piece, index === pieces.length - 1 ? flags.endStream : 0))
      }
      expect([errors.protocol, errors.internal]).toContain(await refusal(client, 1))
      client.close()
      await serves()
    })

    it.each([
      ['with a pseudo field', [[':path', '/']]],
      ['with a name in upper case', [['X', 'y']]],
    ] as const)('that has trailers %s', async (_what, trailers) => {
      const client = await frameClient(gate.port)
      client.send(head(1, post(), false), frame(frameTypes.data, 1, 'abc'), head(1, trailers as never))
      expect((await client.next(resets(1))).payload.readUInt32BE()).toBe(errors.protocol)
      client.close()
      await serves()
    })

    it('whose fields are more than may be', async () => {
      const many = Array.from({ length: 150 }, (_, index) => [`x-${index}`, 'y'] as const)
      const client = await frameClient(gate.port)
      client.send(head(1, [...get(), ...many]))
      expect((await client.next(resets(1))).payload.readUInt32BE()).toBe(errors.calm)
      client.close()
      await serves()
    })

    it('whose fields are longer than may be', async () => {
      const client = await frameClient(gate.port)
      client.send(head(1, [...get(), ['x', 'y'.repeat(16_000)], ['z', 'y'.repeat(200)]]))
      expect((await client.next(resets(1))).payload.readUInt32BE()).toBe(errors.calm)
      client.close()
      await serves()
    })

    it('that is one too many at once', async () => {
      gate.front.enter('hold')
      const client = await frameClient(gate.port)
      for (let index = 0; index <= 100; index += 1) client.send(head(2 * index + 1, get('/after')))
      // A stream of its own is refused before the client has heard how many there may be, its connection ended afterwards.
      await client.next(each => resets(201)(each) || goesAway(each))
      client.close()
      await until(async () => gate.front.counters().heldNow === 0)
      gate.front.enter('pass')
      await serves()
    })
  })

  it.each([
    ['with a name that hides a field', [['x\r\ncontent-length', '5']]],
    ['with a colon in a name', [['content-length:5', 'x']]],
    ['with a space in a name', [['content-length ', '5']]],
    ['with a value that hides a field', [['x', 'a\r\ntransfer-encoding: chunked']]],
    ['with a bare LF in a value', [['x', 'a\ntransfer-encoding: chunked']]],
    ['with a NUL in a value', [['x', 'a\0b']]],
    ['with a space before a value', [['x', ' a']]],
  ] as [string, Field[]][])('does not get such a field past the gate: %s', async (_what, fields) => {
    const client = await frameClient(gate.port)
    client.send(head(1, [...get('/after'), ...fields]))
    await client.next(answers(1))
    client.close()
    const names = ['host', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto']
    expect(app.seen.flatMap(request => request.fields.map(([name]) => name)).sort()).toEqual(names)
    app.forget()
    await serves()
  })

  describe('has a stream reset', () => {
    it('whose window gets nothing', async () => {
      const client = await frameClient(gate.port)
      client.send(head(1, post(), false), frame(frameTypes.window, 1, uint32(0)))
      expect((await client.next(each => resets(1)(each) || goesAway(each))).type).toBeDefined()
      client.close()
      await serves()
    })

    it('whose window becomes too large', async () => {
      const client = await frameClient(gate.port)
      client.send(head(1, post(), false), frame(frameTypes.window, 1, uint32(0x7fffffff)))
      expect([errors.flowControl, errors.internal]).toContain(await refusal(client, 1))
      client.close()
      await serves()
    })
  })

  describe('has its connection ended', () => {
    it.each([['that begins otherwise', errors.internal, ['GET / HTTP/1.1\r\nHost: a\r\n\r\n'.padEnd(40)]]])(
      '%s',
      async (_what, code, [begin]) => {
        const client = await frameClient(gate.port, begin)
        expect(await ending(client)).toBe(code)
        await serves()
      },
    )

    const tooLarge = Buffer.alloc(20_000)
    it.each([
      ['with a window that gets nothing', errors.protocol, [frame(frameTypes.window, 0, uint32(0))]],
      ['with a window that becomes too large', errors.flowControl, [frame(frameTypes.window, 0, uint32(0x7fffffff))]],
      [
        'with a frame that is too large',
        errors.frameSize,
        [head(1, post(), false), frame(frameTypes.data, 1, tooLarge)],
      ],
      ['with a stream of even number', errors.protocol, [head(2, get())]],
      ['with a stream of number 0', errors.protocol, [head(0, get())]],
      ['with a body of no request', errors.protocol, [frame(frameTypes.data, 1, 'abc', flags.endStream)]],
      ['with a body behind its end', errors.streamClosed, [head(1, get('/after')), frame(frameTypes.data, 1, 'abc')]],
      [
        'with a continuation of nothing',
        errors.protocol,
        [frame(frameTypes.continuation, 1, fieldBlock(get()), flags.endHeaders)],
      ],
      [
        'with something in the middle of a head',
        errors.protocol,
        [frame(frameTypes.headers, 1, fieldBlock(get()), flags.endStream), frame(frameTypes.ping, 0, '12345678')],
      ],
      [
        'with another request in the middle of a head',
        errors.protocol,
        [frame(frameTypes.headers, 1, fieldBlock(get()), flags.endStream), head(3, get())],
      ],
      [
        'with a push',
        errors.protocol,
        [frame(frameTypes.push, 1, Buffer.concat([uint32(2), fieldBlock(get())]), flags.endHeaders)],
      ],
      ['with a ping of another length', errors.frameSize, [frame(frameTypes.ping, 0, '1234567')]],
      ['with a ping of a stream', errors.protocol, [frame(frameTypes.ping, 1, '12345678')]],
      ['with settings of another length', errors.frameSize, [frame(frameTypes.settings, 0, '12345')]],
      ['with settings of a stream', errors.protocol, [frame(frameTypes.settings, 1, '')]],
      [
        'with settings that acknowledge and set',
        errors.frameSize,
        [frame(frameTypes.settings, 0, setting(4, 1), flags.ack)],
      ],
      [
        'with a window beyond what one may be',
        errors.flowControl,
        [frame(frameTypes.settings, 0, setting(4, 0x80000000))],
      ],
      ['with frames smaller than they must be', errors.protocol, [frame(frameTypes.settings, 0, setting(5, 100))]],
      ['with a push that is neither', errors.protocol, [frame(frameTypes.settings, 0, setting(2, 2))]],
      ['with a reset of no request', errors.protocol, [frame(frameTypes.reset, 1, uint32(8))]],
      ['with a reset of another length', errors.frameSize, [head(1, post(), false), frame(frameTypes.reset, 1, '123')]],
      [
        'with a field that is in no table',
        errors.compression,
        [frame(frameTypes.headers, 1, Buffer.from([0xff, 0x7f]), 5)],
      ],
      ['with half a field', errors.compression, [frame(frameTypes.headers, 1, fieldBlock(get()).subarray(0, -3), 5)]],
    ] as const)('%s', async (_what, code, frames) => {
      const client = await frameClient(gate.port)
      client.send(...frames)
      expect(await ending(client)).toBe(code)
      app.forget()
      await serves()
    })

    it('that sends more than it may', async () => {
      gate.front.enter('hold')
      const client = await frameClient(gate.port)
      client.send(head(1, post(), false))
      for (let sentBytes = 0; sentBytes <= 65_535; sentBytes += 16_000) {
        client.send(frame(frameTypes.data, 1, Buffer.alloc(16_000)))
      }
      const told = await client.next(each => resets(1)(each) || goesAway(each))
      expect(told.payload.readUInt32BE(told.type === frameTypes.reset ? 0 : 4)).toBe(errors.flowControl)
      client.close()
      gate.front.enter('pass')
      await serves()
    })

    const empty = frame(frameTypes.data, 1, '')
    const many = (each: Buffer, count: number) => Buffer.concat(Array.from({ length: count }, () => each))
    it.each([
      ['without an end of pings', many(frame(frameTypes.ping, 0, '12345678'), 20_000)],
      ['without an end of settings', many(frame(frameTypes.settings, 0, setting(4, 65_535)), 20_000)],
      ['without an end of empty pieces', Buffer.concat([head(1, post(), false), many(empty, 20_000)])],
      [
        'without an end of a head',
        Buffer.concat([
          frame(frameTypes.headers, 1, fieldBlock(get()), flags.endStream),
          many(frame(frameTypes.continuation, 1, fieldBlock([['x', 'y'.repeat(1000)]])), 2000),
        ]),
      ],
      [
        'without an end of requests that it takes back',
        Buffer.concat(
          Array.from({ length: 5000 }, (_, index) =>
            Buffer.concat([head(2 * index + 1, get('/back')), frame(frameTypes.reset, 2 * index + 1, uint32(8))]),
          ),
        ),
      ],
    ])('%s', async (_what, bytes) => {
      const client = await frameClient(gate.port)
      client.send(bytes)
      // Nothing is read of what is answered: it is the client's affair that its connection fills.
      await client.ended
      expect(app.seen.length).toBeLessThan(1000)
      app.forget()
      await serves()
    })
  })

  it('whose body goes on behind its length has it cut there', async () => {
    const client = await frameClient(gate.port)
    client.send(head(1, [...post(), ['content-length', '3']], false))
    client.send(frame(frameTypes.data, 1, 'abc'), frame(frameTypes.data, 1, 'GET /inner HTTP/1.1', flags.endStream))
    expect([errors.protocol, errors.internal]).toContain(await refusal(client, 1))
    client.close()
    const other = await frameClient(gate.port)
    other.send(head(1, get('/after')))
    await other.next(answers(1))
    other.close()
    // It may have been passed on by then: as long as it was told to be.
    expect(app.seen.map(({ target, body }) => `${target} ${body}`)).toSatisfy((seen: string[]) =>
      seen.every(each => each === '/ abc' || each === '/after '),
    )
    expect(app.faults).toEqual([])
  })

  it('cannot use a number that it left out before', async () => {
    const client = await frameClient(gate.port)
    client.send(head(5, get('/after')), head(3, get('/evil')), head(7, get('/after')))
    await client.next(each => answers(7)(each) || goesAway(each))
    client.close()
    expect(app.seen.map(({ target }) => target)).not.toContain('/evil')
  })

  it('may name fields again and again only within what a head may have', async () => {
    const client = await frameClient(gate.port)
    // One long field goes into the table, then is named again by one byte each.
    const long = Buffer.concat([Buffer.from([0x40]), fieldBlock([['x-a', 'y'.repeat(3000)]]).subarray(1)])
    client.send(frame(frameTypes.headers, 1, Buffer.concat([fieldBlock(get('/after')), long]), 5))
    await client.next(answers(1))
    client.send(frame(frameTypes.headers, 3, Buffer.concat([fieldBlock(get()), Buffer.alloc(10_000, 0xbe)]), 5))
    expect((await client.next(resets(3))).payload.readUInt32BE()).toBe(errors.calm)
    client.close()
    app.forget()
    await serves()
  })
})
