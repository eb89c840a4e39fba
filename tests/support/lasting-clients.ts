import http from 'node:http'
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** What clients met whose connections last. */
export interface LastingReport {
  /** Uploads that were answered, or events and echoes that came. */
  readonly answered: number
  /** How often one was ended in good order and begun again. */
  readonly again: number
  readonly failures: readonly string[]
}

/** Clients that run. */
export interface LastingClients {
  /** How much has come until now. */
  readonly answered: () => number
  readonly stop: () => Promise<LastingReport>
}

/** What a client of each kind does until it is told to stop: it returns when it was ended in good order, and throws at anything else. */
type Act = (told: { readonly signal: AbortSignal; readonly answered: () => void }) => Promise<void>

function startClients(clients: number, act: Act): LastingClients {
  const controller = new AbortController()
  const failures: string[] = []
  let answered = 0
  let again = 0
  const told = {
    signal: controller.signal,
    answered: () => {
      answered += 1
    },
  }
  const run = async () => {
    for (let count = 0; !controller.signal.aborted; count += 1) {
      if (count > 0) again += 1
      try {
        await act(told)
      } catch (caught) {
        if (!controller.signal.aborted) failures.push((caught as Error).message)
      }
    }
  }
  const running = Promise.all(Array.from({ length: clients }, run))
  return {
    answered: () => answered,
    stop: async () => {
      controller.abort()
      await running
      return { answered, again, failures }
    },
  }
}

/** A body that is sent in pieces with pauses, and the answer that says that it arrived whole. */
export interface Upload {
  readonly method: 'POST' | 'PUT'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly pieces: number
  readonly pauseMs: number
  readonly isWhole: (status: number, text: string) => boolean
}

/** Keep clients busy that send bodies slowly, so that one is on its way at each moment, and count those that arrive whole. */
export function startUploads(clients: number, next: () => Upload): LastingClients {
  return startClients(clients, async ({ answered }) => {
    const { method, url, headers, body, pieces, pauseMs, isWhole } = next()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const fields = { 'Content-Length': String(body.length), ...headers }
    const request = http.request(url, { method, agent: false, headers: fields }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', part => {
        text += part
      })
      response.on('error', reject).on('end', () => {
        if (isWhole(response.statusCode!, text)) resolve()
        else reject(new Error(`status ${response.statusCode} ${text.slice(0, 100)}`))
      })
    })
    request.on('error', reject)
    const sizeBytes = Math.ceil(body.length / pieces)
    try {
      for (let offset = 0; offset < body.length; offset += sizeBytes) {
        request.write(body.subarray(offset, offset + sizeBytes))
        await Promise.race([delay(pauseMs), promise])
      }
      request.end()
      await promise
    } catch (caught) {
      throw new Error(`upload: ${(caught as Error).message}`)
    }
    answered()
  })
}

/** An upload to tests/support/toy-app.ts. */
export function toyUpload(url: string): Upload {
  const body = Buffer.alloc(40_000, 'u')
  const isWhole = (status: number, text: string) => status === 200 && JSON.parse(text).bytes === body.length
  return { method: 'POST', url: `${url}/echo`, body, pieces: 40, pauseMs: 25, isWhole }
}

/** Keep event streams open and count what comes; one that is cut rather than ended is a failure. */
export function startEventStreams(url: string, clients: number): LastingClients {
  return startClients(clients, ({ signal, answered }) => {
    return new Promise((resolve, reject) => {
      const request = http.get(url, { agent: false, signal }, response => {
        if (response.statusCode !== 200) reject(new Error(`events: status ${response.statusCode}`))
        response.on('data', () => answered())
        response.on('error', caught => reject(new Error(`events: ${caught.message}`)))
        response.on('end', () => resolve())
      })
      request.on('error', caught => reject(new Error(`events: ${caught.message}`)))
    })
  })
}

/** Keep tunnels open that a server sends back through what it gets, each with one word on its way; one that is cut is a failure. */
export function startTunnels(port: number, clients: number): LastingClients {
  return startClients(clients, async ({ signal, answered }) => {
    const socket = net.connect(port, '127.0.0.1')
    const stop = () => socket.destroy()
    signal.addEventListener('abort', stop, { once: true })
    const closed = new Promise<void>((resolve, reject) => {
      socket.once('end', () => {
        socket.end()
        resolve()
      })
      socket.once('error', caught => reject(new Error(`tunnel: ${caught.message}`)))
    })
    const echo = (async () => {
      const received = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>
      socket.write('GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      const head = await received.next()
      if (head.done !== true && !head.value.toString().startsWith('HTTP/1.1 101'))
        throw new Error(`tunnel: ${head.value}`)
      for (;;) {
        if (!socket.write('word')) return
        if ((await received.next()).done === true) return
        answered()
        await delay(5)
      }
    })()
    try {
      await Promise.race([closed, echo])
      await echo.catch(() => {})
    } finally {
      signal.removeEventListener('abort', stop)
      socket.destroy()
    }
  })
}
