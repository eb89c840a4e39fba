import http from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** What an event stream's client saw. */
export interface StreamCounts {
  readonly events: number
  /** Connections after the first one. */
  readonly reconnects: number
  /** Connections that were refused or broke off instead of ending between two events. */
  readonly broken: number
  /** Gaps in the ids of events, and ids that came again. */
  readonly missed: number
  readonly repeated: number
}

/** A client of `/events` that comes back with the last id that it saw. */
export interface StreamClient {
  /** Resolves when the first connection is there. */
  readonly connected: Promise<void>
  counts(): StreamCounts
  /** Whether an event for this note came. */
  hasSeen(noteId: string): boolean
  stop(): void
}

const retryMs = 200

/** Follow the event stream at `url`. */
export function followStream(url: string): StreamClient {
  const controller = new AbortController()
  const counts = { events: 0, reconnects: 0, broken: 0, missed: 0, repeated: 0 }
  const seenNotes = new Set<string>()
  const { promise: connected, resolve: onConnected } = Promise.withResolvers<void>()
  let lastId: number | undefined

  const onBlock = (block: EventBlock) => {
    if (block.id === undefined) return
    if (block.data !== undefined) {
      counts.events += 1
      seenNotes.add((JSON.parse(block.data) as { id: string }).id)
      if (lastId !== undefined && block.id <= lastId) counts.repeated += 1
      if (lastId !== undefined && block.id > lastId + 1) counts.missed += block.id - lastId - 1
    }
    lastId = block.id
  }
  const follow = async () => {
    while (!controller.signal.aborted) {
      const ended = await readStream({ url, lastId, signal: controller.signal, onConnected, onBlock })
      if (controller.signal.aborted) return
      if (!ended) counts.broken += 1
      counts.reconnects += 1
      await delay(retryMs)
    }
  }
  void follow()

  return {
    connected,
    counts: () => ({ ...counts }),
    hasSeen: noteId => seenNotes.has(noteId),
    stop: () => controller.abort(),
  }
}

/** One block of an event stream. */
export interface EventBlock {
  readonly id: number | undefined
  readonly data: string | undefined
}

/** Read one block of an event stream. Source: WHATWG HTML §9.2.6, as far as the notes service uses it. */
export function parseBlock(text: string): EventBlock {
  const fields = new Map(
    text.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  )
  const id = fields.get('id')
  return { id: id === undefined ? undefined : Number(id), data: fields.get('data') }
}

/** Read one connection to its end; true when it ended between two events. */
function readStream(options: {
  readonly url: string
  readonly lastId: number | undefined
  readonly signal: AbortSignal
  readonly onConnected: () => void
  readonly onBlock: (block: EventBlock) => void
}): Promise<boolean> {
  return new Promise(resolve => {
    const headers = options.lastId === undefined ? {} : { 'Last-Event-ID': String(options.lastId) }
    const request = http.get(options.url, { agent: false, headers, signal: options.signal })
    request.on('error', () => resolve(false))
    request.on('response', response => {
      response.on('error', () => resolve(false))
      if (response.statusCode !== 200) {
        response.resume()
        response.on('end', () => resolve(false))
        return
      }
      options.onConnected()
      let rest = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        const blocks = (rest + text).split('\n\n')
        rest = blocks.pop() ?? ''
        for (const block of blocks) options.onBlock(parseBlock(block))
      })
      response.on('end', () => resolve(rest === ''))
    })
  })
}
