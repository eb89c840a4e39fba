import { randomBytes } from 'node:crypto'
import { readAnswer } from '../../sys/exchange.ts'
import type { DavClient } from './dav.ts'
import type { TransferTools } from './tools.ts'

const folder = '.cutover/incoming'
/** The last day whose folder was removed. */
const sweptKey = `${folder}/swept`

const dayMs = 24 * 3600 * 1000
/** Today's and yesterday's: no object is on its way for longer than a day. */
const keptDays = 2
/** So many days are removed at most, whatever the last one is said to be. */
const mostDays = 400

const dateOf = (day: number) => new Date(day * dayMs).toISOString().slice(0, 10)

/**
 * Where objects are on their way to a WebDAV server, in a folder for each day: plain WebDAV cannot list, and what killed publishers left there
 * goes with the folder of its day.
 *
 * The days are those of the publishers' clocks: one that is fast by a day takes away what others are sending, who then fail and send it again.
 */
export class DavIncoming {
  readonly #client: DavClient
  readonly #tools: TransferTools

  constructor(client: DavClient, tools: TransferTools) {
    this.#client = client
    this.#tools = tools
  }

  /** Choose a key that nobody else has. */
  newKey(): string {
    return `${folder}/${dateOf(this.#today())}/${randomBytes(12).toString('hex')}`
  }

  /** Remove what killed publishers left before yesterday. Pre: the lease is held. Errors: those of the client. Crash: the next one goes on. */
  async removeLeftovers(): Promise<void> {
    const last = this.#today() - keptDays
    // Whoever makes a repository takes the lease before anything is sent: without a day there is nothing older.
    const swept = (await this.#readSwept()) ?? last - 1
    if (swept >= last) return
    for (let day = Math.max(swept, last - mostDays) + 1; day <= last; day += 1) {
      await this.#client.ask({ method: 'DELETE', key: `${folder}/${dateOf(day)}/`, expect: [200, 204, 404] })
    }
    const body = Buffer.from(dateOf(last))
    await this.#client.write({ method: 'PUT', key: sweptKey, expect: [200, 201, 204], body })
  }

  #today(): number {
    return Math.floor(this.#tools.clock.nowMs() / dayMs)
  }

  async #readSwept(): Promise<number | undefined> {
    const headers = { 'cache-control': 'no-cache' }
    const answer = await this.#client.send({ method: 'GET', key: sweptKey, expect: [200, 404], headers })
    if (answer.status === 404) return void (await answer.finish())
    const text = (await readAnswer(answer, 64 * 1024, sweptKey)).toString()
    const day = Date.parse(text) / dayMs
    // Whatever else it is, it is written anew.
    return Number.isSafeInteger(day) && dateOf(day) === text ? day : undefined
  }
}
