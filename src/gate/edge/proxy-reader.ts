import type { Socket } from 'node:net'
import { type ProxySender, parseProxyHeader } from './proxy-header.ts'

/**
 * Take the header of the PROXY protocol off a connection that just began.
 *
 * Post: `done` is called once with who opened it, and what came behind the header is still to be read; or the connection was destroyed:
 * it has no header, or not within `limitMs`. It is never guessed whether there is one. Source: proxy-protocol.txt §2 (no guessing, and at
 * least 3 seconds for a lost packet to be sent again).
 */
export function readProxyHeader(socket: Socket, limitMs: number, done: (sender: ProxySender) => void): void {
  let sofar = Buffer.alloc(0)
  const late = setTimeout(() => socket.destroy(), limitMs)
  const stop = () => {
    clearTimeout(late)
    socket.off('readable', read).off('end', end).off('close', stop)
  }
  const end = () => socket.destroy()
  const read = () => {
    const piece: Buffer | null = socket.read()
    if (piece === null) return
    sofar = Buffer.concat([sofar, piece])
    const found = parseProxyHeader(sofar)
    if (found.kind === 'partial') return
    stop()
    if (found.kind === 'invalid') {
      socket.destroy()
      return
    }
    if (sofar.length > found.sizeBytes) socket.unshift(sofar.subarray(found.sizeBytes))
    done(found.sender)
  }
  socket.on('readable', read).once('end', end).once('close', stop)
}
