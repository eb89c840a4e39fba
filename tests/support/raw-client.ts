import net from 'node:net'

/** One connection spoken to in bytes, for what no HTTP client would send. */
export interface RawClient {
  readonly socket: net.Socket
  readonly send: (text: string) => void
  /** Everything that came so far. */
  readonly text: () => string
  /** Wait until what came holds some text. */
  readonly has: (part: string) => Promise<string>
  /** Wait until the other side has ended the connection. Post: all that came. */
  readonly ended: Promise<string>
}

/** Connect to a port of this machine. */
export async function rawClient(port: number): Promise<RawClient> {
  const socket = net.connect({ port, host: '127.0.0.1' })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  let text = ''
  const waiting = new Set<() => void>()
  socket.on('data', piece => {
    text += piece.toString('latin1')
    for (const check of waiting) check()
  })
  const ended = new Promise<string>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('close', () => resolve(text))
  })
  ended.catch(() => {})
  return {
    socket,
    send: bytes => void socket.write(bytes, 'latin1'),
    text: () => text,
    has: part =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!text.includes(part)) return
          waiting.delete(check)
          resolve(text)
        }
        waiting.add(check)
        ended.then(() => reject(new Error(`ended without ${JSON.stringify(part)}: ${JSON.stringify(text)}`)), reject)
        check()
      }),
    ended,
  }
}
