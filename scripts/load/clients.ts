import http from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, exchange, isBackoff, type Question } from './exchange.ts'
import type { Outcome, Tally } from './tally.ts'

/** What every client of a load shares. */
export interface ClientTools {
  readonly url: string
  readonly tally: Tally
  /** Aborted when clients are to stop; a request in flight is finished first. */
  readonly signal: AbortSignal
  readonly pauseMs: number
  readonly timeoutMs: number
}

/** A note that a writer was told is stored. */
export interface CreatedNote {
  readonly id: string
  readonly text: string
}

/** Read the list of notes again and again on one keep-alive connection. */
export async function runReader(tools: ClientTools): Promise<void> {
  await repeatedly(tools, agent => sendRead(tools, agent, '/notes?limit=20'))
}

/** Send requests that take `slowMs` each. */
export async function runSlowReader(tools: ClientTools, slowMs: number): Promise<void> {
  await repeatedly(tools, agent => sendRead(tools, agent, `/slow?ms=${slowMs}`))
}

/** Create notes whose texts begin with `prefix`, each text once; nothing is ever sent twice. */
export async function runWriter(
  tools: ClientTools,
  options: { readonly prefix: string; readonly onCreated: (note: CreatedNote) => void },
): Promise<void> {
  let count = 0
  await repeatedly(tools, async agent => {
    const text = `${options.prefix}-${count} #load`
    count += 1
    const end = tools.tally.begin('POST /notes')
    const answer = await exchange(agent, question(tools, 'POST', '/notes', JSON.stringify({ text })))
    const outcome = judge(answer)
    end(outcome)
    if (outcome.kind === 'answered' && answer.kind === 'answer')
      options.onCreated({ id: (JSON.parse(answer.text) as CreatedNote).id, text })
  })
}

async function sendRead(tools: ClientTools, agent: http.Agent, path: string): Promise<void> {
  const end = tools.tally.begin(`GET ${path}`)
  let answer = await exchange(agent, question(tools, 'GET', path))
  if (answer.kind === 'broken' && answer.stale) {
    tools.tally.retry()
    answer = await exchange(agent, question(tools, 'GET', path))
  }
  end(judge(answer))
}

function question(tools: ClientTools, method: Question['method'], path: string, body?: string): Question {
  const base = { method, url: `${tools.url}${path}`, timeoutMs: tools.timeoutMs }
  return body === undefined ? base : { ...base, body }
}

function judge(answer: Answer): Outcome {
  if (answer.kind === 'broken') return { kind: 'failed', reason: answer.reason }
  if (answer.status >= 200 && answer.status < 300) return { kind: 'answered' }
  if (isBackoff(answer.status, answer.headers)) return { kind: 'backed-off' }
  return { kind: 'failed', reason: `status ${answer.status}` }
}

async function repeatedly(tools: ClientTools, once: (agent: http.Agent) => Promise<void>): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  while (!tools.signal.aborted) {
    await once(agent)
    // Uneven pauses, so that clients do not fall into step with each other.
    await delay(tools.pauseMs * (0.5 + Math.random()))
  }
  agent.destroy()
}
