/*
 * node scripts/bench/population.ts [CLIENTS] [SECONDS BETWEEN TWO REQUESTS OF ONE]
 *
 * What a population of clients does to an application that was away for 10 s: a simulation on the gate's own functions (bounds of a hold,
 * ramp, spread of Retry-After, soft phase, recovery), without sockets. Nine of ten clients obey as Mozilla's four parsers do; the tenth
 * reads nothing and tries again every 5 s. Shown are, from the end of the upgrade on: the most requests that reach the application in a
 * second of the first minute, while it is cold, and of all the time; the most that arrive at the gate; how many were told 503; and when the
 * application has, for good, no more than a fifth more to do than usual. The first row is what is done without a gate: nothing is held, and
 * the 503 of a maintenance page tells all the same 30 s.
 */
import { type BackoffSettings, backoffAnswer } from '../../src/gate/answers/backoff.ts'
import { Passing } from '../../src/gate/front/passing.ts'
import { WaitingRoom } from '../../src/gate/machine/waiting.ts'
import { manualTimers } from '../../tests/support/manual-timers.ts'
import { type MozillaClient, mozillaClients, type SyncAnswer } from '../../tests/support/mozilla-clients.ts'

const clients = Number(process.argv[2] ?? 100_000)
const periodSeconds = Number(process.argv[3] ?? 60)

const stepMs = 10
const softSeconds = 300
const upgradeSeconds = 10
const recoverySeconds = 600
const afterSeconds = 2400
/** Everybody has been there once before the soft phase begins. */
const beginsSeconds = periodSeconds
const upgradeFromMs = (beginsSeconds + softSeconds) * 1000
const upgradeToMs = upgradeFromMs + upgradeSeconds * 1000
const endMs = upgradeToMs + afterSeconds * 1000

const ratePerSecond = clients / periodSeconds
/** What the application is said to take back: half as much again as it has to do anyhow. */
const takesPerSecond = Math.ceil(ratePerSecond / 2)

interface Case {
  readonly gate: boolean
  readonly spread: boolean
  readonly soft: boolean
  readonly recovery: boolean
}

interface Client {
  readonly obeys: MozillaClient | undefined
  readonly path: string
  errors: number
}

interface Outcome {
  readonly peakWhileCold: number
  readonly peakAtApplication: number
  readonly peakAtGate: number
  readonly turnedAway: number
  readonly settledSeconds: number
}

const held: Case = { gate: true, spread: false, soft: false, recovery: false }
const cases: readonly (readonly [string, Case])[] = [
  ['a maintenance page', { ...held, gate: false }],
  ['the gate, none of the three', held],
  ['(a) spread by population', { ...held, spread: true }],
  ['(b) soft phase', { ...held, soft: true }],
  ['(c) recovery', { ...held, recovery: true }],
  ['(a) and (b)', { ...held, spread: true, soft: true }],
  ['(a) and (c)', { ...held, spread: true, recovery: true }],
  ['all three', { ...held, spread: true, soft: true, recovery: true }],
]

console.log(
  `${clients} clients, each every ${periodSeconds} s: ${ratePerSecond.toFixed(0)} requests/s; away for ${upgradeSeconds} s; ` +
    `hold of 1000, ramp from 200/s, Retry-After 30 s; soft phase ${softSeconds} s, recovery ${recoverySeconds} s from ${takesPerSecond}/s\n`,
)
const rows = cases.map(([name, how]) => {
  const { peakWhileCold, peakAtApplication, peakAtGate, turnedAway, settledSeconds } = simulate(how)
  return [name, peakWhileCold, peakAtApplication, peakAtGate, turnedAway, settledSeconds].map(String)
})
print(['case', 'peak/s, first minute', 'peak/s at all', 'peak/s at the gate', '503s', 'settled after s'], rows)

/** Let the population live through one upgrade. */
function simulate(how: Case): Outcome {
  const random = randomFrom(1)
  const { timers, advance } = manualTimers()
  const population = Array.from({ length: clients }, (_, index) => newClient(index))
  const due: number[][] = Array.from({ length: Math.ceil(endMs / stepMs) + 1 }, () => [])
  const settings = backoffSettings(how)
  const atApplication = new Float64Array(Math.ceil(endMs / 1000) + 1)
  const atGate = new Float64Array(atApplication.length)
  let turnedAway = 0
  let passing: Passing | undefined

  const comeBack = (index: number, seconds: number) => {
    const step = Math.floor((timers.nowMs() + seconds * 1000) / stepMs)
    due[Math.max(step, Math.floor(timers.nowMs() / stepMs) + 1)]?.push(index)
  }
  /** Its own schedule: not all at once after a long time either. */
  const ownSeconds = () => periodSeconds * (0.9 + random() * 0.2)
  const told = (index: number, answer: SyncAnswer) => {
    const client = population[index]!
    client.errors = answer.status >= 500 ? client.errors + 1 : 0
    const away = client.obeys?.staysAway(answer, { errors: client.errors, random })
    const usual = answer.status >= 500 && client.obeys === undefined ? 5 : ownSeconds()
    comeBack(index, Math.max(away ?? 0, away !== undefined && answer.status >= 500 ? 0 : usual))
  }
  const serve = (index: number) => {
    atApplication[Math.floor(timers.nowMs() / 1000)]! += 1
    const fields = passing?.addedFields(200, settings, random) ?? []
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    for (let at = 0; at < fields.length; at += 2) headers[fields[at]!.toLowerCase()] = fields[at + 1]!
    told(index, { status: 200, headers, body: '{}' })
  }
  const turnAway = (index: number) => {
    turnedAway += 1
    const request = {
      method: 'GET',
      path: population[index]!.path,
      accept: undefined,
      contentType: undefined,
      closes: false,
    }
    const { status, headers, body } = backoffAnswer(settings, request, random)
    const seen = Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]))
    if (!how.gate) for (const name of ['retry-after', 'x-weave-backoff', 'x-backoff']) seen[name] = '30'
    told(index, { status, headers: seen, body: body.toString() })
  }
  const room = new WaitingRoom<number>({ requests: 1000, bytes: 2 ** 26, ageMs: 25_000 }, timers, {
    release: ({ item }) => serve(item),
    expire: ({ item }) => turnAway(item),
  })

  for (let index = 0; index < clients; index += 1) comeBack(index, random() * periodSeconds)
  for (let nowMs = 0; nowMs < endMs; nowMs += stepMs) {
    if (how.soft && nowMs === beginsSeconds * 1000) {
      passing = new Passing({ kind: 'soft', elapsedMs: 0, lastsMs: softSeconds * 1000, share: 1 }, timers)
    }
    if (nowMs === upgradeFromMs) passing = undefined
    if (nowMs === upgradeToMs) {
      room.startRelease({ perSecond: 200 })
      if (how.recovery && turnedAway > 0) {
        const recovery = { lastsMs: recoverySeconds * 1000, perSecond: takesPerSecond }
        passing = new Passing({ kind: 'recovery', elapsedMs: 0, ...recovery }, timers)
      }
    }
    if (nowMs === upgradeToMs + recoverySeconds * 1000) passing = undefined
    const isAway = nowMs >= upgradeFromMs && nowMs < upgradeToMs
    for (const index of due[nowMs / stepMs]!) {
      atGate[Math.floor(nowMs / 1000)]! += 1
      if (isAway) {
        if (!how.gate || room.offer(index, 500) === undefined) turnAway(index)
      } else if (passing?.admits() === false) turnAway(index)
      else serve(index)
    }
    due[nowMs / stepMs] = []
    advance(stepMs)
  }
  return outcome(atApplication, atGate, turnedAway)
}

function newClient(index: number): Client {
  const obeys = index % 10 === 9 ? undefined : mozillaClients[index % mozillaClients.length]!
  return {
    obeys,
    path: obeys?.name.endsWith('token') === true ? '/1.0/sync/1.5' : '/1.5/1/info/collections',
    errors: 0,
  }
}

function backoffSettings({ spread }: Case): BackoffSettings {
  const routes = [
    { prefix: '/1.5/', shape: 'weave' },
    { prefix: '/1.0/', shape: 'token' },
  ] as const
  const known = spread ? { clients, perSecond: takesPerSecond } : {}
  return { retryAfter: 30, jitter: 0.2, routes, ...known }
}

function outcome(atApplication: Float64Array, atGate: Float64Array, turnedAway: number): Outcome {
  const from = upgradeToMs / 1000
  const after = [...atApplication.subarray(from)]
  const peakAtApplication = Math.max(...after)
  // The last second in which there was a fifth more to do than usual.
  const settledSeconds = after.findLastIndex(count => count > ratePerSecond * 1.2) + 1
  const peakWhileCold = Math.max(...after.slice(0, 60))
  return {
    peakWhileCold,
    peakAtApplication,
    peakAtGate: Math.max(...atGate.subarray(from)),
    turnedAway,
    settledSeconds,
  }
}

/** Numbers that look random and are the same in every run. Source: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function print(columns: readonly string[], all: readonly (readonly string[])[]): void {
  const widths = columns.map((column, index) => Math.max(column.length, ...all.map(cells => cells[index]!.length)))
  for (const cells of [columns, ...all]) {
    const padded = cells.map((cell, index) =>
      index === 0 ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!),
    )
    console.log(padded.join('  '))
  }
}
