import { printable } from '../../core/error.ts'
import { formatBytes, formatDuration } from '../../core/quantity.ts'
import type { GateSample } from '../../flow/gate-watch.ts'
import type { ServeStatus } from '../../gate/control/protocol.ts'
import type { Paint, Tone } from './style.ts'

/** How many looks back the curve goes. */
const curveLooks = 60
/** How many changes are remembered. */
const shownChanges = 8

const modeTones: Readonly<Record<string, Tone>> = { pass: 'good', hold: 'warn', backoff: 'bad', drain: 'bad' }

interface Rates {
  readonly requests: number
  readonly released: number
  readonly backedOff: number
  readonly abandoned: number
}

/** What a gate does as people see it: its mode, who waits, how fast requests come, what changed. Holds the looks so far. */
export class GateView {
  readonly #paint: Paint
  readonly #changes: string[] = []
  readonly #curve: number[] = []
  #last: GateSample | undefined
  #rates: Rates = { requests: 0, released: 0, backedOff: 0, abandoned: 0 }

  constructor(paint: Paint) {
    this.#paint = paint
  }

  /** Take a look in. Post: true when something changed that a line is worth: the mode, the version, whether anybody answers. */
  take(sample: GateSample): boolean {
    const before = this.#last
    this.#last = sample
    this.#rates = ratesBetween(before, sample)
    this.#curve.push(this.#rates.requests)
    if (this.#curve.length > curveLooks) this.#curve.shift()
    const change = changeText(before?.status, sample.status)
    if (before !== undefined && change === undefined) return false
    this.#changes.push(`${timeText(sample.atMs)}  ${change ?? summaryText(sample.status)}`)
    if (this.#changes.length > shownChanges) this.#changes.shift()
    return true
  }

  /** The last change, for outputs that are no screen. */
  get lastChange(): string {
    return this.#changes.at(-1) ?? ''
  }

  /** The whole view. */
  lines(): readonly string[] {
    const { status, atMs } = this.#last ?? { status: undefined, atMs: 0 }
    if (status === undefined) return [this.#paint('bad', 'nobody answers'), '', ...this.#changes]
    const { counters, gate } = status
    const { requests, released, backedOff, abandoned } = this.#rates
    return [
      `${this.#paint('strong', printable(status.version ?? 'no release'))} · ${status.gateMode} at ${printable(status.address)}`,
      `${this.#paint(modeTones[gate.mode] ?? 'strong', gate.mode.padEnd(8))}${modeText(status, atMs)}`,
      '',
      `held now    ${bar(counters.heldNow, counters.held)} ${counters.heldNow}  (${formatBytes(counters.heldBytes)}, longest ${formatDuration(counters.longestHoldMs)})`,
      `in flight   ${counters.inFlight}, ${counters.streams} streams`,
      `requests    ${sparkline(this.#curve)} ${rate(requests)}`,
      `released    ${rate(released)} · turned away ${rate(backedOff)} · hung up ${rate(abandoned)}`,
      ...status.services.map(service => `service     ${printable(service.name)} ${service.state}`),
      '',
      ...this.#changes,
    ]
  }
}

function modeText({ gate }: ServeStatus, nowMs: number): string {
  const since = `for ${formatDuration(Math.max(0, nowMs - gate.sinceMs))}`
  const ends =
    gate.deadlineAtMs === undefined ? '' : `, ends in ${formatDuration(Math.max(0, gate.deadlineAtMs - nowMs))}`
  return `${since}${ends} · ${printable(gate.reason)}`
}

function ratesBetween(before: GateSample | undefined, now: GateSample): Rates {
  const [old, current] = [before?.status, now.status]
  // Another serving process has begun to count anew.
  if (before === undefined || old === undefined || current === undefined || old.pid !== current.pid) {
    return { requests: 0, released: 0, backedOff: 0, abandoned: 0 }
  }
  const seconds = Math.max(now.atMs - before.atMs, 1) / 1000
  const per = (name: keyof Rates) => Math.max(0, current.counters[name] - old.counters[name]) / seconds
  return {
    requests: per('requests'),
    released: per('released'),
    backedOff: per('backedOff'),
    abandoned: per('abandoned'),
  }
}

function changeText(before: ServeStatus | undefined, now: ServeStatus | undefined): string | undefined {
  if (now === undefined) return before === undefined ? undefined : 'nobody answers any more'
  if (before === undefined) return summaryText(now)
  const changes = [
    before.pid === now.pid ? undefined : `another process serves (pid ${now.pid})`,
    before.version === now.version ? undefined : `${before.version ?? 'nothing'} → ${now.version ?? 'nothing'} runs`,
    before.gate.mode === now.gate.mode ? undefined : `${before.gate.mode} → ${now.gate.mode}: ${now.gate.reason}`,
  ].filter(change => change !== undefined)
  return changes.length === 0 ? undefined : printable(changes.join(', '))
}

function summaryText(status: ServeStatus | undefined): string {
  if (status === undefined) return 'nobody answers'
  return printable(`${status.gate.mode}, ${status.version ?? 'no release'} runs`)
}

const blocks = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const

function sparkline(values: readonly number[]): string {
  const highest = Math.max(...values, 1)
  return values
    .map(value => blocks[Math.min(blocks.length - 1, Math.floor((value / highest) * blocks.length))])
    .join('')
}

/** How many of those that ever waited wait now. */
function bar(part: number, whole: number): string {
  const width = 20
  const filled = whole === 0 ? 0 : Math.round((Math.min(part, whole) / whole) * width)
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`
}

function rate(perSecond: number): string {
  return `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)}/s`
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(11, 23)
}
