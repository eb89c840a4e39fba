import net from 'node:net'
import type { ConnectTarget } from '../front/service-socket.ts'
import { BodyReader } from './body-reader.ts'
import { HeadReader } from './head-reader.ts'
import type { AnswerHead } from './message.ts'
import type { OutgoingRequest } from './outgoing-request.ts'
import { Outlet } from './outlet.ts'
import { parseAnswerHead } from './parse-answer.ts'
import type { Peer } from './peer.ts'
import { type LargeBuffers, ReadBuffer } from './read-buffers.ts'
import type { Swept } from './sweep.ts'

/** The longest head of an answer. */
const headBytes = 65_536

/** Who keeps connections while nobody uses them. */
export interface ConnectionKeeper {
  /** The connection is free for the next request. */
  readonly keep: (connection: UpstreamConnection) => void
  /** It has ended, or is about to. */
  readonly ended: (connection: UpstreamConnection) => void
  readonly nowMs: () => number
  readonly buffers: LargeBuffers
  readonly timeouts: { readonly idleMs: number; readonly answerMs: number }
}

/** A connection to the application: one request at a time, its answer read and told as it comes. */
export class UpstreamConnection implements Swept {
  /** Whose requests it carries, when it is for one client's connection only. */
  readonly peer: Peer | undefined
  readonly outlet: Outlet
  readonly #keeper: ConnectionKeeper
  readonly #socket: net.Socket
  readonly #head = new HeadReader({ skipsEmptyLines: false, limitBytes: headBytes })
  readonly #buffer: ReadBuffer
  #isConnected = false
  #wasUsed = false
  #request: OutgoingRequest | undefined
  #answer: AnswerHead | undefined
  #body: BodyReader | undefined
  #heardAnswer = false
  #answerBytes = 0
  /** A complete answer's last piece is still needed: then the connection is free. */
  #freesOnResume = false
  /** When it became idle, or when something of the present request was last written. */
  #sinceMs: number

  constructor(target: ConnectTarget, keeper: ConnectionKeeper, peer: Peer | undefined) {
    this.peer = peer
    this.#keeper = keeper
    this.#buffer = new ReadBuffer(keeper.buffers)
    this.#sinceMs = keeper.nowMs()
    const place = 'socketPath' in target ? { path: target.socketPath } : { ...target, noDelay: true }
    this.#socket = net.connect({
      ...place,
      onread: { buffer: () => this.#buffer.present, callback: sizeBytes => this.#read(sizeBytes) },
    })
    this.outlet = new Outlet(this.#socket, () => this.#drained())
    this.#socket.once('connect', () => this.#connected())
    this.#socket.once('end', () => this.#ended())
    // What an error means for a request is told by the close that follows it; nobody may get the connection until then.
    this.#socket.on('error', () => keeper.ended(this))
    this.#socket.once('close', () => this.#closed())
  }

  /** Whether a request went over it before the present one. */
  get wasUsed(): boolean {
    return this.#wasUsed
  }

  /** How much of the present answer's body came, or of the last one's. */
  get answerBytes(): number {
    return this.#body?.payloadBytes ?? this.#answerBytes
  }

  /** Carry a request. Pre: the connection is new, or was kept. */
  carry(request: OutgoingRequest): void {
    this.#request = request
    this.#heardAnswer = false
    this.#answerBytes = 0
    if (this.#isConnected) request.connected()
  }

  /** More of the present request was written: the application is waited for from now on. */
  touch(): void {
    this.#sinceMs = this.#keeper.nowMs()
  }

  /** Read on after a piece was still needed. */
  resume(): void {
    if (this.#freesOnResume) {
      this.#freesOnResume = false
      this.#free()
    }
    this.#socket.resume()
  }

  /** End the writing side: a tunnel's client has nothing more to say. */
  endWriting(): void {
    this.#socket.end()
  }

  /** Forget the present request, and the connection with it. */
  destroy(): void {
    this.#request = undefined
    this.#end()
  }

  sweep(nowMs: number): void {
    const { idleMs, answerMs } = this.#keeper.timeouts
    const agedMs = nowMs - this.#sinceMs
    if (this.#request === undefined) {
      if (agedMs >= idleMs && !this.#freesOnResume) this.#end()
    } else if (this.#isAwaited(this.#request) && agedMs >= answerMs) this.#fail(this.#isConnected ? 'late' : 'unsent')
  }

  /** Whether it is the application's turn: to accept, to answer, or to read more of a request. */
  #isAwaited(request: OutgoingRequest): boolean {
    return this.#answer === undefined && (!this.#isConnected || request.isSent || this.outlet.waits)
  }

  #connected(): void {
    this.#isConnected = true
    this.#request?.connected()
  }

  #drained(): void {
    this.touch()
    this.#request?.drained()
  }

  /** Post: whether more may be read now. */
  #read(sizeBytes: number): boolean {
    const request = this.#request
    if (request === undefined) {
      // Nobody asked anything.
      this.#end()
      return false
    }
    this.#heardAnswer = true
    const bytes = this.#buffer.present
    if (sizeBytes === bytes.length) this.#buffer.grow()
    const isUsedUp = this.#readAnswer(request, bytes, sizeBytes)
    request.flush()
    // Only here: Node asks for the next buffer when this returns.
    if (this.#request === undefined && isUsedUp) this.#buffer.shrink()
    return isUsedUp
  }

  #readAnswer(request: OutgoingRequest, bytes: Buffer, sizeBytes: number): boolean {
    let at = 0
    let isUsedUp = true
    while (this.#request === request && at < sizeBytes) {
      if (this.#body === undefined) at = this.#readHead(request, bytes, { from: at, to: sizeBytes })
      else {
        at = this.#body.read(bytes, at, sizeBytes)
        isUsedUp = this.#tellBody(request, bytes) && isUsedUp
      }
      if (this.#body?.isMalformed === true) this.#fail('invalid')
      else if (this.#body?.isComplete === true && this.#request === request) {
        this.#complete(request, { isUsedUp, hasMore: at < sizeBytes })
      }
    }
    return isUsedUp
  }

  #readHead(request: OutgoingRequest, bytes: Buffer, range: { readonly from: number; readonly to: number }): number {
    const at = this.#head.read(bytes, range.from, range.to)
    if (this.#head.progress === 'partial') return at
    const isWhole = this.#head.progress === 'complete'
    const head = isWhole ? parseAnswerHead(this.#head.text, request.head) : undefined
    this.#head.reset(headBytes)
    if (head === undefined) this.#fail('invalid')
    else if (head.status < 200 && head.status !== 101) request.sink.interim(head)
    else {
      this.#answer = head
      this.#body = new BodyReader(head.framing, request.sink.answer(head))
    }
    return at
  }

  #tellBody(request: OutgoingRequest, bytes: Buffer): boolean {
    const { ranges } = this.#body!
    let isUsedUp = true
    for (let index = 0; index < ranges.length && this.#request === request; index += 2) {
      isUsedUp = request.sink.body(bytes.subarray(ranges[index], ranges[index + 1])) && isUsedUp
    }
    return isUsedUp
  }

  #complete(
    request: OutgoingRequest,
    { isUsedUp, hasMore }: { readonly isUsedUp: boolean; readonly hasMore: boolean },
  ): void {
    const trailers = this.#body?.trailers
    const goesOn = this.#answer?.persists === true && request.isSent && !hasMore
    this.#answerBytes = this.#body?.payloadBytes ?? 0
    this.#request = undefined
    this.#answer = undefined
    this.#body = undefined
    if (!goesOn) this.#end()
    else if (isUsedUp) this.#free()
    else this.#freesOnResume = true
    request.complete(trailers, this.#freesOnResume)
  }

  /** Post: nobody gets the connection any more, and the request that it carries is told of its end. */
  #end(): void {
    this.#keeper.ended(this)
    this.#socket.destroy()
  }

  #free(): void {
    this.#wasUsed = true
    this.#sinceMs = this.#keeper.nowMs()
    this.#keeper.keep(this)
  }

  /** The application ended its side. */
  #ended(): void {
    const request = this.#request
    const isEnd = this.#answer?.framing.kind === 'close' || this.#answer?.framing.kind === 'tunnel'
    if (request !== undefined && isEnd) {
      this.#complete(request, { isUsedUp: true, hasMore: true })
      request.flush()
    } else this.#end()
  }

  #closed(): void {
    this.#keeper.ended(this)
    this.#buffer.abandon()
    const request = this.#request
    this.#request = undefined
    if (request === undefined) return
    if (!this.#isConnected) request.failed('unsent')
    else request.broken({ heardAnswer: this.#heardAnswer, wasUsed: this.#wasUsed })
  }

  #fail(failure: 'unsent' | 'invalid' | 'late'): void {
    const request = this.#request
    this.destroy()
    request?.failed(failure)
  }
}
