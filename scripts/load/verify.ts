import http from 'node:http'
import type { CreatedNote } from './clients.ts'
import { exchange } from './exchange.ts'

/** What a service holds of the notes that a load created. */
export interface NoteCounts {
  readonly created: number
  /** Created, and not there any more. */
  readonly lost: number
  /** Texts that are there more than once, though each was sent once. */
  readonly repeated: number
  /** There, though the answer to their creation never came: neither right nor wrong. */
  readonly unanswered: number
}

interface Page {
  readonly notes: readonly CreatedNote[]
  readonly next: number
}

const pageSize = 500

/** Read all notes of a service and compare those of this load (their texts begin with `prefix`) with what it was told. */
export async function checkNotes(options: {
  readonly url: string
  readonly prefix: string
  readonly created: readonly CreatedNote[]
  readonly timeoutMs: number
}): Promise<NoteCounts> {
  const found = new Map<string, number>()
  for await (const { text } of readNotes(options.url, options.timeoutMs))
    if (text.startsWith(options.prefix)) found.set(text, (found.get(text) ?? 0) + 1)
  const known = new Set(options.created.map(note => note.text))
  return {
    created: options.created.length,
    lost: options.created.filter(note => !found.has(note.text)).length,
    repeated: [...found.values()].filter(count => count > 1).length,
    unanswered: [...found.keys()].filter(text => !known.has(text)).length,
  }
}

async function* readNotes(url: string, timeoutMs: number): AsyncGenerator<CreatedNote> {
  const agent = new http.Agent({ keepAlive: true })
  try {
    for (let after = 0; ; ) {
      const place = `${url}/notes?limit=${pageSize}&after=${after}`
      const answer = await exchange(agent, { method: 'GET', url: place, timeoutMs })
      if (answer.kind === 'broken') throw new Error(`notes cannot be checked: ${answer.reason} at ${place}`)
      if (answer.status !== 200) throw new Error(`notes cannot be checked: status ${answer.status} at ${place}`)
      const page = JSON.parse(answer.text) as Page
      yield* page.notes
      if (page.notes.length < pageSize) return
      after = page.next
    }
  } finally {
    agent.destroy()
  }
}
