import type { Duplex } from 'node:stream'

/** Pieces up to this size are copied behind the text before them, so that one write carries both. */
const copiedBytes = 4096

/**
 * What is written to a connection: text and bytes in order, put together to as few writes as can be.
 *
 * Post of every call that tells whether all has left: `true` when the kernel took it all, so that bytes that were given may be written over;
 * `false` when some of it waits, and then `drained` is called once none does.
 */
export class Outlet {
  readonly #socket: Duplex
  readonly #drained: () => void
  readonly #wrote = () => this.#look()
  #text = ''
  #waits = false

  constructor(socket: Duplex, drained: () => void) {
    this.#socket = socket
    this.#drained = drained
  }

  /** Whether something waits for the other side to read. */
  get waits(): boolean {
    return this.#waits
  }

  /** Add text, latin1. It leaves with what follows it, or with `flush`. */
  put(text: string): void {
    this.#text += text
  }

  /** Add bytes. */
  putBytes(bytes: Buffer): boolean {
    if (bytes.length <= copiedBytes) {
      this.#text += bytes.toString('latin1')
      // Where the other side is behind already, copies must not pile up either.
      return this.#text.length > 4 * copiedBytes ? this.flush() : !this.#waits
    }
    if (this.#text === '') this.#socket.write(bytes, this.#wrote)
    else {
      this.#socket.cork()
      this.#socket.write(this.#takeText(), 'latin1', this.#wrote)
      this.#socket.write(bytes, this.#wrote)
      this.#socket.uncork()
    }
    return this.#hasLeft()
  }

  /** Write what was put together. */
  flush(): boolean {
    if (this.#text !== '') this.#socket.write(this.#takeText(), 'latin1', this.#wrote)
    return this.#hasLeft()
  }

  #takeText(): string {
    const text = this.#text
    this.#text = ''
    return text
  }

  #hasLeft(): boolean {
    // A write that the kernel takes at once is over when the call returns; only then is its memory free.
    this.#waits = this.#socket.writableLength > 0
    return !this.#waits
  }

  #look(): void {
    if (!this.#waits || this.#socket.writableLength > 0) return
    this.#waits = false
    this.#drained()
  }
}
