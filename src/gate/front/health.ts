import http from 'node:http'
import { isErrno, toReleaseError } from '../../core/error.ts'
import { delay } from '../../sys/clock.ts'
import { type ExecuteOptions, tryExecute } from '../../sys/exec.ts'
import { accepts } from '../http1/upstream.ts'
import { type Address, formatAddress } from './address.ts'
import { connectTarget } from './service-socket.ts'

/** What a healthy answer looks like. */
export interface HttpProbe {
  /** The host that is asked for; `localhost` when absent. */
  readonly host?: string
  readonly path: string
  readonly status: number
  /** Text that its body must hold. */
  readonly contains: readonly string[]
  /** Header fields that the answer must have, with text that their values must hold. */
  readonly headers: readonly { readonly name: string; readonly contains: string }[]
}

/** Whether it is healthy, and what was seen, for people. `isAnswer`: it said so itself, instead of saying nothing yet. */
export interface Health {
  readonly ok: boolean
  readonly evidence: string
  readonly isAnswer?: boolean
}

/** A health answer is short; of a longer one only this much is looked at. */
const lookedAtBytes = 64 * 1024

/**
 * How long a question waits for somebody to accept its connection: requests wait for an application that starts, and to look again here
 * takes less than to be asked again.
 */
const acceptPatienceMs = 250
const acceptPauseMs = 2

/** Ask an application for its health over HTTP, once; while nobody accepts, a little longer. Post: never rejects. */
export async function probeHttp(address: Address, probe: HttpProbe, timeoutMs: number): Promise<Health> {
  const endMs = performance.now() + Math.min(acceptPatienceMs, timeoutMs)
  for (;;) {
    const { isRefused, ...health } = await askHttp(address, probe, timeoutMs)
    if (!isRefused || performance.now() >= endMs) return health
    do await delay(acceptPauseMs)
    while (!(await accepts(address, timeoutMs)) && performance.now() < endMs)
  }
}

function askHttp(
  address: Address,
  probe: HttpProbe,
  timeoutMs: number,
): Promise<Health & { readonly isRefused?: boolean }> {
  const what = `GET ${probe.path} at ${formatAddress(address)}`
  return new Promise(resolve => {
    const outgoing = http.request({
      ...connectTarget(address),
      path: probe.path,
      agent: false,
      headers: { host: probe.host ?? 'localhost', 'user-agent': 'cutover-probe', connection: 'close' },
      signal: AbortSignal.timeout(timeoutMs),
    })
    outgoing.once('error', caught => {
      const why = caught.name === 'AbortError' ? `no answer within ${timeoutMs} ms` : caught.message
      const isRefused = isErrno(caught, 'ECONNREFUSED') || isErrno(caught, 'ENOENT')
      resolve({ ok: false, evidence: `${what}: ${why}`, isRefused })
    })
    outgoing.once('response', async incoming => {
      try {
        const text = await readSome(incoming)
        resolve(judge(what, probe, { status: incoming.statusCode!, headers: incoming.headers, text }))
      } catch (caught) {
        resolve({ ok: false, evidence: `${what}: ${(caught as Error).message}` })
      }
    })
    outgoing.end()
  })
}

async function readSome(incoming: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = []
  let sizeBytes = 0
  for await (const piece of incoming) {
    pieces.push(piece)
    sizeBytes += piece.length
    if (sizeBytes >= lookedAtBytes) break
  }
  return Buffer.concat(pieces).subarray(0, lookedAtBytes).toString()
}

interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
}

function judge(what: string, probe: HttpProbe, { status, headers, text }: Answer): Health {
  const sick = (why: string): Health => ({ ok: false, evidence: `${what}: ${status}${why}`, isAnswer: true })
  if (status !== probe.status) return sick(`, expected ${probe.status}`)
  for (const header of probe.headers) {
    const value = headers[header.name.toLowerCase()]
    const found = typeof value === 'object' ? value.join(', ') : value
    if (found === undefined) return sick(` without the header ${header.name}`)
    if (!found.includes(header.contains)) {
      return sick(`, ${header.name} without ${JSON.stringify(header.contains)}: ${JSON.stringify(found.slice(0, 200))}`)
    }
  }
  const missing = probe.contains.find(wanted => !text.includes(wanted))
  if (missing === undefined) return { ok: true, evidence: `${what}: ${status}` }
  return sick(` without ${JSON.stringify(missing)} in ${JSON.stringify(text.slice(0, 200))}`)
}

/** Ask whether something accepts connections at an address, once. Post: never rejects. */
export async function probeTcp(address: Address, timeoutMs: number): Promise<Health> {
  const ok = await accepts(address, timeoutMs)
  return { ok, evidence: `${formatAddress(address)} ${ok ? 'accepts' : 'does not accept'} connections` }
}

/** Ask for health by a command, once: exit code 0 is healthy. Post: never rejects. */
export async function probeCommand(argv: readonly [string, ...string[]], options: ExecuteOptions): Promise<Health> {
  try {
    const { exitCode, stdout, stderr } = await tryExecute(argv, options)
    const said = `${stdout}\n${stderr}`.trim().slice(-200)
    return { ok: exitCode === 0, evidence: `exit code ${exitCode}${said === '' ? '' : `: ${said}`}` }
  } catch (caught) {
    return { ok: false, evidence: toReleaseError(caught).message }
  }
}
