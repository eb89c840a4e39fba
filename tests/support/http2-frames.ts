import tls from 'node:tls'

/** Types of frames. Source: RFC 9113 §6. */
export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goAway: 7,
  window: 8,
  continuation: 9,
} as const

/** Flags of frames that are used here. */
export const flags = { endStream: 1, ack: 1, endHeaders: 4 } as const

/** Codes of errors. Source: RFC 9113 §7. */
export const errors = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refused: 7,
  cancel: 8,
  compression: 9,
  calm: 11,
} as const

/** A frame as it is on the wire. */
export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

/** Write a frame, right or wrong. */
export function frame(type: number, stream: number, payload: Buffer | string, flag = 0): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
  const head = Buffer.alloc(9)
  head.writeUIntBE(body.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flag, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, body])
}

/** Write a number as a payload. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Write one setting. Source: RFC 9113 §6.5.1. */
export function setting(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([0, id]), uint32(value)])
}

/** Write fields as they are, whatever is in them: literals without indexing. Source: RFC 7541 §6.2.2. */
export function fieldBlock(fields: readonly (readonly [string, string])[]): Buffer {
  const literal = (text: string) => {
    const bytes = Buffer.from(text, 'latin1')
    return Buffer.concat([integer(bytes.length), bytes])
  }
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]))
}

/** Source: RFC 7541 §5.1, with a prefix of seven bits. */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value])
  const bytes = [127]
  let rest = value - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}

/** The pseudo fields of a request. */
export function pseudo(method: string, path: string): (readonly [string, string])[] {
  return [
    [':method', method],
    [':scheme', 'https'],
    [':authority', 'a'],
    [':path', path],
  ]
}

/** Write the head of a request. */
export function head(stream: number, fields: readonly (readonly [string, string])[], ends = true): Buffer {
  return frame(frameTypes.headers, stream, fieldBlock(fields), flags.endHeaders | (ends ? flags.endStream : 0))
}

/** A connection that speaks HTTP/2 in frames, for what no client would send. */
export interface FrameClient {
  readonly send: (...frames: readonly Buffer[]) => void
  /** Everything that came so far. */
  readonly frames: () => readonly Frame[]
  /** Wait for a frame. Errors: the connection ended without it. */
  readonly next: (isIt: (frame: Frame) => boolean) => Promise<Frame>
  /** Wait for the end of the connection. */
  readonly ended: Promise<void>
  readonly close: () => void
}

/** Connect over TLS to a port of this machine, and begin with some settings, or with other bytes. */
export async function frameClient(port: number, begin = preface): Promise<FrameClient> {
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('error', reject)
  })
  socket.on('error', () => {})
  const frames: Frame[] = []
  const waiting = new Set<() => void>()
  let rest = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes])
    for (let read = readFrame(rest); read !== undefined; read = readFrame(rest)) {
      frames.push(read)
      rest = rest.subarray(9 + read.payload.length)
    }
    for (const check of waiting) check()
  })
  const ended = new Promise<void>(resolve => socket.once('close', () => resolve()))
  if (begin.length > 0) socket.write(begin, 'latin1')
  if (begin === preface) {
    // What is not acknowledged does not hold yet.
    socket.write(Buffer.concat([frame(frameTypes.settings, 0, ''), frame(frameTypes.settings, 0, '', flags.ack)]))
  }
  return {
    send: (...all) => void socket.write(Buffer.concat(all)),
    frames: () => frames,
    next: isIt =>
      new Promise((resolve, reject) => {
        const check = () => {
          const found = frames.find(isIt)
          if (found === undefined) return
          waiting.delete(check)
          resolve(found)
        }
        waiting.add(check)
        void ended.then(() => reject(new Error(`ended with ${frames.map(({ type }) => type).join(' ')}`)))
        check()
      }),
    ended,
    close: () => void socket.destroy(),
  }
}

function readFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < 9) return undefined
  const sizeBytes = bytes.readUIntBE(0, 3)
  if (bytes.length < 9 + sizeBytes) return undefined
  return {
    type: bytes[3]!,
    flags: bytes[4]!,
    stream: bytes.readUInt32BE(5) & 0x7fffffff,
    payload: bytes.subarray(9, 9 + sizeBytes),
  }
}
