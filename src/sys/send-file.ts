import fs from 'node:fs'
import type http from 'node:http'
import { fillFrom, type OpenFile } from './served-folder.ts'

/** Up to this many bytes are read and handed over at once: cheaper than going to another thread for them. */
const largestWholeBytes = 64 * 1024
/** Larger pieces are no faster; smaller ones cost more calls than copying. */
const pieceBytes = 512 * 1024
/** When many download at once, memory counts for more than speed. */
const smallPieceBytes = 64 * 1024
const mostLargePieces = 64

const spare: Buffer[] = []
let largePieces = 0
/** So many are kept: what is made and thrown away for each request costs a tenth of the time. */
const mostSpareWholes = 256
const spareWholes: Buffer[] = []

/** Which bytes to send. */
export interface SendOptions {
  readonly start: number
  /** The first that is not sent. */
  readonly end: number
  /** How long a client may take for half a mebibyte. */
  readonly pieceMs: number
}

/**
 * Send bytes of a file, and close it.
 *
 * Pre: the head of the answer is set; the response has its socket. Post: the next piece is read while the one before is sent; memory is
 * bounded whatever number of clients take whatever time. A client that goes away, or is too slow, ends its download; nobody is left
 * to tell, and neither is when the file became shorter: the connection breaks off, so that it is noticed.
 */
export async function sendFile(response: http.ServerResponse, file: OpenFile, options: SendOptions): Promise<void> {
  try {
    if (options.end - options.start <= largestWholeBytes) sendWhole(response, file.descriptor, options)
    else await stream(response, file.descriptor, options)
  } catch {
    response.destroy()
  } finally {
    file.close()
  }
}

function sendWhole(response: http.ServerResponse, descriptor: number, { start, end }: SendOptions): void {
  const buffer = spareWholes.pop() ?? Buffer.allocUnsafeSlow(largestWholeBytes)
  const bytes = buffer.subarray(0, end - start)
  fillFrom(descriptor, bytes, start)
  response.end(bytes, () => {
    if (spareWholes.length < mostSpareWholes) spareWholes.push(buffer)
  })
}

async function stream(
  response: http.ServerResponse,
  descriptor: number,
  { start, end, pieceMs }: SendOptions,
): Promise<void> {
  const { socket } = response
  if (socket === null || socket.destroyed) return
  let wake = () => {}
  const onClose = () => wake()
  const flushed = (piece: Buffer) =>
    new Promise<void>(resolve => {
      wake = resolve
      response.write(piece, () => resolve())
    })
  const timer = setTimeout(() => socket.destroy(), pieceMs)
  socket.once('close', onClose)
  const buffers = takeBuffers()
  try {
    let sent: Promise<void> = Promise.resolve()
    for (let at = start, turn = 0; at < end; turn += 1) {
      const buffer = buffers[turn % buffers.length]!
      const piece = await readInto(buffer, descriptor, at, end)
      at += piece.byteLength
      await sent
      timer.refresh()
      if (socket.destroyed) return
      sent = flushed(piece)
    }
    await sent
    if (!socket.destroyed) response.end()
    giveBack(buffers)
  } finally {
    clearTimeout(timer)
    socket.off('close', onClose)
    if (buffers[0].byteLength === pieceBytes) largePieces -= buffers.length
  }
}

type Buffers = readonly [Buffer, Buffer]

function takeBuffers(): Buffers {
  if (largePieces >= mostLargePieces) {
    return [Buffer.allocUnsafeSlow(smallPieceBytes), Buffer.allocUnsafeSlow(smallPieceBytes)]
  }
  largePieces += 2
  return [spare.pop() ?? Buffer.allocUnsafeSlow(pieceBytes), spare.pop() ?? Buffer.allocUnsafeSlow(pieceBytes)]
}

/** Those of a connection that broke may be in the system's hands still. */
function giveBack(buffers: Buffers): void {
  if (buffers[0].byteLength === pieceBytes && spare.length < mostLargePieces) spare.push(...buffers)
}

function readInto(buffer: Buffer, descriptor: number, at: number, end: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    fs.read(descriptor, buffer, 0, Math.min(buffer.byteLength, end - at), at, (error, count) => {
      if (error !== null) reject(error)
      else if (count === 0) reject(new Error(`the file ends ${end - at} bytes early`))
      else resolve(buffer.subarray(0, count))
    })
  })
}
