import { Agent, type ClientRequest } from 'node:http'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import type { Address } from '../front/address.ts'
import { type ConnectTarget, connectTarget } from '../front/service-socket.ts'

/**
 * How long a connection to the application is kept while nobody uses it.
 *
 * Servers close idle connections after 2 s (gunicorn), 5 s (Node) or later. A request written to a connection that is being closed is
 * lost, and one that is not idempotent may not be sent again; so ours end well before theirs. A new one costs 0.1 ms on loopback.
 */
const idleConnectionMs = 1000

/** The running application, with connections to it that are used again. */
export interface Upstream {
  readonly address: Address
  /** Asked for right before each connection: see {@link connectTarget}. */
  readonly target: ConnectTarget
  readonly agent: Agent
  /** Close connections that nobody uses and keep none from now on; requests in flight go on. */
  readonly retire: () => void
}

/** Name the application at an address. Connections are made when they are needed. */
export function createUpstream(address: Address): Upstream {
  const agent = new PromptAgent({ keepAlive: true, maxFreeSockets: 256, scheduling: 'lifo' })
  return {
    address,
    get target() {
      return connectTarget(address)
    },
    agent,
    retire: () => agent.retire(),
  }
}

class PromptAgent extends Agent {
  #isRetired = false

  retire(): void {
    this.#isRetired = true
    for (const socket of Object.values(this.freeSockets).flat()) socket?.destroy()
  }

  override keepSocketAlive(socket: Duplex): boolean {
    // Documented to tell whether it is kept; the type says nothing.
    const isKept = super.keepSocketAlive(socket) as unknown as boolean
    // The agent destroys a free connection on its timeout.
    if (socket instanceof net.Socket) socket.setTimeout(idleConnectionMs)
    return isKept && !this.#isRetired
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    if (socket instanceof net.Socket) socket.setTimeout(0)
    super.reuseSocket(socket, request)
  }
}

/** Tell whether something accepts connections at an address now. Post: resolves within `timeoutMs`, never rejects. */
export function accepts(address: Address, timeoutMs: number): Promise<boolean> {
  return new Promise(resolve => {
    const target = connectTarget(address)
    const socket = 'socketPath' in target ? net.connect(target.socketPath) : net.connect(target)
    const finish = (accepted: boolean) => {
      socket.destroy()
      resolve(accepted)
    }
    socket.setTimeout(timeoutMs, () => finish(false))
    socket.once('connect', () => finish(true))
    socket.once('error', () => finish(false))
  })
}
