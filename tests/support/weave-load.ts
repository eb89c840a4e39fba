import http from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** What the clients of a weave server met. */
export interface WeaveReport {
  readonly answered: number
  /** Anything but the answer that was expected, in words. */
  readonly failures: readonly string[]
  /** Objects that the server said it stored, and has not any more. */
  readonly lost: number
}

/** A load that runs. */
export interface WeaveLoad {
  readonly answered: () => number
  readonly stop: () => Promise<WeaveReport>
}

interface Answer {
  readonly status: number
  readonly text: string
}

/**
 * Keep clients of a weave server busy: each has a user of its own, stores objects and reads them back. Nothing is ever sent twice.
 *
 * Tokens are asked for once, so that a server that forgets its secret is found out.
 */
export function startWeaveLoad(
  url: string,
  { clients, pauseMs }: { readonly clients: number; readonly pauseMs: number },
): WeaveLoad {
  const failures: string[] = []
  const controller = new AbortController()
  let answered = 0
  const client = async (uid: number): Promise<number> => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const ask = async (method: string, place: string, token?: string, body?: unknown): Promise<Answer | undefined> => {
      const answer = await exchange(agent, { method, url: `${url}${place}`, token, body })
      if (typeof answer !== 'string' && answer.status === 200) {
        answered += 1
        return answer
      }
      failures.push(`${method} ${place}: ${typeof answer === 'string' ? answer : `status ${answer.status}`}`)
      return undefined
    }
    const token = JSON.parse((await ask('GET', `/token/1.0/sync/1.5?uid=${uid}`))?.text ?? '{}').id as string
    const stored: string[] = []
    while (!controller.signal.aborted) {
      const id = `object-${stored.length}`
      const collection = `/1.5/${uid}/storage/bookmarks`
      if (await ask('PUT', `${collection}/${id}`, token, { payload: `of ${uid}` })) stored.push(id)
      await ask('GET', `${collection}?full=1&ids=${id}`, token)
      await delay(pauseMs)
    }
    const kept = new Set(JSON.parse((await ask('GET', `/1.5/${uid}/storage/bookmarks`, token))?.text ?? '[]'))
    agent.destroy()
    return stored.filter(id => !kept.has(id)).length
  }
  const running = Promise.all(Array.from({ length: clients }, (_, index) => client(index + 1)))
  return {
    answered: () => answered,
    async stop() {
      controller.abort()
      const lost = await running
      return { answered, failures, lost: lost.reduce((sum, count) => sum + count, 0) }
    },
  }
}

/** Send one request; a connection that broke is told in words. */
function exchange(
  agent: http.Agent,
  question: {
    readonly method: string
    readonly url: string
    readonly token: string | undefined
    readonly body: unknown
  },
): Promise<Answer | string> {
  const { method, url, token, body } = question
  const headers = {
    ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
  }
  return new Promise(resolve => {
    const request = http.request(url, { agent, method, headers, signal: AbortSignal.timeout(30_000) }, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', piece => {
        text += piece
      })
      response.on('error', error => resolve(error.message))
      response.on('end', () => resolve({ status: response.statusCode!, text }))
    })
    request.on('error', error => resolve(error.message))
    request.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
