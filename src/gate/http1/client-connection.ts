import type { Duplex } from 'node:stream'
import { type Answer, problemAnswer } from '../answers/answer.ts'
import type { Exchange, Origin } from '../front/exchange.ts'
import { HeadReader } from './head-reader.ts'
import { ownHeadText } from './head-text.ts'
import type { ClientLimits } from './limits.ts'
import type { RequestHead } from './message.ts'
import { Outlet } from './outlet.ts'
import { parseRequestHead, type Refusal } from './parse-request.ts'
import type { Peer } from './peer.ts'
import { type BodyTaker, keptBytes, RequestBody } from './request-body.ts'
import { RequestExchange } from './request-exchange.ts'
import type { Swept } from './sweep.ts'

/** How long a connection lingers after its last answer, so that its client reads it, and how much may pass by meanwhile. */
const [lingerMs, lingerBytes] = [2000, 4 * 1024 * 1024]

/** What a connection asks and tells. */
export interface ClientContext {
  readonly limits: () => ClientLimits
  readonly nowMs: () => number
  readonly take: (exchange: Exchange) => void
  /** Something that is no request that can be served was answered with a status. */
  readonly refused: (origin: Origin, status: number) => void
  /** A request has begun to arrive (1), or is whole or given up (-1). */
  readonly receiving: (count: 1 | -1) => void
  readonly ended: (connection: ClientConnection) => void
}

/**
 * What goes on. `idle`: the next head, or some of it. `busy`: a request. `dropping`: it was answered, the rest of its body goes nowhere.
 * `lingering`: the last answer was written. `ended`: nothing.
 */
type Phase = 'idle' | 'busy' | 'dropping' | 'lingering' | 'ended'

/**
 * A client's connection: its requests one after the other, each answered before the next is looked at.
 *
 * Any kind of connection: what is behind the Duplex is somebody else's, TLS for example.
 */
export class ClientConnection implements Swept {
  readonly peer: Peer
  readonly outlet: Outlet
  readonly #socket: Duplex
  readonly #context: ClientContext
  readonly #head: HeadReader
  #phase: Phase = 'idle'
  #unread: Buffer | undefined
  #exchange: RequestExchange | undefined
  #body: RequestBody | undefined
  /** An answer that is all written has not left yet: whether the connection ends with it. */
  #closesWhenLeft: boolean | undefined
  #isReceiving = false
  #isServing = false
  #droppedBytes = 0
  /** When something last moved. */
  #sinceMs: number

  constructor(socket: Duplex, peer: Peer, context: ClientContext) {
    this.#socket = socket
    this.peer = peer
    this.#context = context
    this.#head = new HeadReader({ skipsEmptyLines: true, limitBytes: context.limits().headBytes })
    this.#sinceMs = context.nowMs()
    this.outlet = new Outlet(socket, () => this.#drained())
    socket.on('data', (bytes: Buffer) => this.#read(bytes))
    socket.once('end', () => this.#hungUp())
    // What an error means is told by the close that follows it.
    socket.on('error', () => {})
    socket.once('close', () => this.#closed())
  }

  /** Whether a body is still to come that nobody has read, and is not here already as a whole. */
  hasUnreadBody(): boolean {
    return this.#body !== undefined && !this.#body.isCompleteWith(this.#unread)
  }

  /** How much of the request's body came and was given on. */
  get receivedBytes(): number {
    return this.#body?.receivedBytes ?? 0
  }

  /** Begin to give the request's body to somebody; what is here of it at once. */
  startBody(taker: BodyTaker): void {
    this.#body?.start(taker)
    const unread = this.#takeUnread()
    if (unread !== undefined) this.#readBody(unread)
    else this.resumeReading()
  }

  /** From now on there are no requests any more, only bytes. */
  startTunnel(taker: BodyTaker): void {
    this.#body = new RequestBody({ kind: 'tunnel' })
    this.startBody(taker)
  }

  /** Read on after a piece of the body was too much. */
  resumeReading(): void {
    this.#sinceMs = this.#context.nowMs()
    const isKeptBack = this.#unread !== undefined && this.#unread.length > keptBytes
    if (this.#socket.isPaused() && !isKeptBack) this.#socket.resume()
  }

  /** Answer the present request, in the application's place; nothing when its client has gone. */
  respond(answered: Answer): void {
    const head = this.#exchange?.head
    if (head === undefined) return
    const closes = answered.closes || !head.persists
    this.outlet.put(ownHeadText(answered, closes))
    if (head.method !== 'HEAD') this.outlet.putBytes(answered.body)
    this.finish(closes)
  }

  /** The answer is all written. Once it has left, the exchange is told, and the next request comes or the end. */
  finish(closes: boolean): void {
    if (this.outlet.flush()) this.#left(closes)
    else this.#closesWhenLeft = closes
  }

  /** End the connection in the middle of an answer, so that it does not look whole. */
  destroy(): void {
    this.#socket.destroy()
  }

  sweep(nowMs: number): void {
    const { headTimeoutMs, idleTimeoutMs, bodyTimeoutMs } = this.#context.limits()
    const stillMs = nowMs - this.#sinceMs
    if (this.#phase === 'lingering') {
      if (stillMs >= lingerMs) this.#socket.destroy()
    } else if (this.outlet.waits) {
      if (stillMs >= bodyTimeoutMs) this.#socket.destroy()
    } else if (this.#phase === 'idle') {
      if (this.#isReceiving && stillMs >= headTimeoutMs) this.#refuse({ status: 408, why: 'it did not arrive in time' })
      else if (stillMs >= idleTimeoutMs) this.#linger()
    } else if (this.#body?.isAwaited === true && !this.#socket.isPaused() && stillMs >= bodyTimeoutMs)
      this.#body.taker!.bodyLate()
  }

  #read(bytes: Buffer): void {
    if (this.#phase === 'idle') this.#serve(bytes)
    else if (this.#phase === 'lingering') this.#lingered(bytes.length)
    else if (this.#body?.isStarted === true && !this.#body.isComplete) this.#readBody(bytes)
    else this.#keep(bytes)
  }

  /** Read requests as long as each is answered at once. */
  #serve(bytes: Buffer): void {
    this.#isServing = true
    let rest: Buffer | undefined = bytes
    while (rest !== undefined && this.#phase === 'idle') {
      const at = this.#head.read(rest, 0, rest.length)
      if (this.#head.progress === 'partial') break
      if (at < rest.length) this.#keep(rest.subarray(at))
      this.#begin()
      rest = this.#phase === 'idle' ? this.#takeUnread() : undefined
    }
    this.#isServing = false
    if (this.#phase === 'idle') this.#setReceiving(this.#head.text !== '')
  }

  #begin(): void {
    const read = this.#readHead()
    if ('status' in read) this.#refuse(read)
    else this.#start(read)
  }

  #readHead(): RequestHead | Refusal {
    const limits = this.#context.limits()
    const { progress, text, endedFirstLine } = this.#head
    this.#head.reset(limits.headBytes)
    this.#setReceiving(false)
    if (progress === 'malformed') return { status: 400, why: 'a line does not end with CR LF' }
    if (progress === 'too-long') return { status: endedFirstLine ? 431 : 414, why: 'its head is too long' }
    return parseRequestHead(text, limits)
  }

  #start(head: RequestHead): void {
    this.#phase = 'busy'
    this.#body = head.framing.kind === 'none' ? undefined : new RequestBody(head.framing)
    this.#exchange = new RequestExchange(head, this)
    this.#context.take(this.#exchange)
  }

  #readBody(bytes: Buffer): void {
    const body = this.#body!
    this.#sinceMs = this.#context.nowMs()
    const end = body.read(bytes)
    if (this.#body !== body || body.isMalformed) return
    if (end < bytes.length) this.#keep(bytes.subarray(end))
    if (this.#phase === 'dropping') this.#dropped(end)
    else if (body.isFull) this.#socket.pause()
    else this.resumeReading()
  }

  #keep(bytes: Buffer): void {
    this.#unread = this.#unread === undefined ? bytes : Buffer.concat([this.#unread, bytes])
    if (this.#unread.length > keptBytes) this.#socket.pause()
  }

  #takeUnread(): Buffer | undefined {
    const unread = this.#unread
    this.#unread = undefined
    return unread
  }

  /** The answer has left: on with the connection. */
  #left(closes: boolean): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    exchange?.left()
    if (closes) this.#linger()
    else if (this.#body?.isComplete === false) this.#dropBody()
    else this.#goOn()
  }

  #goOn(): void {
    this.#body = undefined
    this.#phase = 'idle'
    this.resumeReading()
    const unread = this.#isServing ? undefined : this.#takeUnread()
    if (unread !== undefined) this.#serve(unread)
  }

  /** The request was answered before its end: what is left of its body goes nowhere, so that the connection can go on. */
  #dropBody(): void {
    this.#phase = 'dropping'
    this.#droppedBytes = 0
    this.startBody({
      bodyPiece: () => true,
      bodyEnd: () => {},
      bodyMalformed: () => this.destroy(),
      bodyLate: () => this.destroy(),
    })
  }

  #dropped(sizeBytes: number): void {
    this.#droppedBytes += sizeBytes
    if (this.#body!.isComplete) this.#goOn()
    else if (this.#droppedBytes > lingerBytes) this.#linger()
  }

  /** Answer what is no request that can be served, and end. */
  #refuse({ status, why }: { readonly status: number; readonly why: string }): void {
    this.#setReceiving(false)
    const answered = problemAnswer(status, `The request is not served: ${why}.`, true)
    this.outlet.put(ownHeadText(answered, true))
    this.outlet.putBytes(answered.body)
    this.outlet.flush()
    this.#context.refused(this.peer.origin, status)
    this.#linger()
  }

  /** Say that nothing follows, and let the client read on: a connection closed with unread bytes in it is reset, which can overtake the answer. */
  #linger(): void {
    if (this.#phase === 'ended') return
    this.#phase = 'lingering'
    this.#droppedBytes = 0
    this.#unread = undefined
    this.#socket.end()
    this.resumeReading()
  }

  #lingered(sizeBytes: number): void {
    this.#droppedBytes += sizeBytes
    if (this.#droppedBytes > lingerBytes) this.#socket.destroy()
  }

  #setReceiving(isReceiving: boolean): void {
    if (isReceiving === this.#isReceiving) return
    this.#isReceiving = isReceiving
    this.#sinceMs = this.#context.nowMs()
    this.#context.receiving(isReceiving ? 1 : -1)
  }

  #drained(): void {
    if (this.#phase === 'ended') return
    this.#sinceMs = this.#context.nowMs()
    const closes = this.#closesWhenLeft
    this.#closesWhenLeft = undefined
    if (closes === undefined) this.#exchange?.drained()
    else this.#left(closes)
  }

  /** The client ended its side. */
  #hungUp(): void {
    if (this.#phase === 'lingering' || this.#closesWhenLeft !== undefined) return
    if (this.#body?.isTunnel === true) this.#body.taker?.bodyEnd(undefined)
    else if (this.#phase === 'idle' && !this.#isReceiving) this.#linger()
    else this.#socket.destroy()
  }

  #closed(): void {
    this.#phase = 'ended'
    this.#setReceiving(false)
    this.#context.ended(this)
    const exchange = this.#exchange
    this.#exchange = undefined
    exchange?.gone()
  }
}
