import type http from 'node:http'
import type { Socket } from 'node:net'

/** The connections of a server, each with the number of its requests that are not answered yet. */
export class Connections {
  readonly #mostWaiting: number
  readonly #unanswered = new Map<Socket, number>()
  #isClosing = false

  constructor(mostWaiting: number) {
    this.#mostWaiting = mostWaiting
  }

  /** Know of a connection until it is closed. */
  add(socket: Socket): void {
    this.#unanswered.set(socket, 0)
    socket.once('close', () => this.#unanswered.delete(socket))
  }

  /** Run when those before it on its connection are answered: until then a request holds nothing open. */
  inTurn(response: http.ServerResponse, run: () => void): void {
    const { socket } = response.req
    if (this.#count(socket, 1) > this.#mostWaiting + 1) socket.destroy()
    response.once('close', () => {
      if (this.#count(socket, -1) === 0 && this.#isClosing) socket.destroySoon()
    })
    if (response.socket === null) response.once('socket', run)
    else run()
  }

  /** End those that wait for a request, and the others as soon as they do. */
  close(): void {
    this.#isClosing = true
    for (const [socket, count] of this.#unanswered) if (count === 0) socket.destroySoon()
  }

  #count(socket: Socket, change: number): number {
    const before = this.#unanswered.get(socket)
    // It was closed, and forgotten.
    if (before === undefined) return 0
    this.#unanswered.set(socket, before + change)
    return before + change
  }
}
