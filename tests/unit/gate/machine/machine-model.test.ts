import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  endsAtMs,
  type GateCommand,
  type GateState,
  initialState,
  longestModeMs,
  remainingMs,
  transition,
} from '../../../../src/gate/machine/machine.ts'
import { gateStateText, parseGateState } from '../../../../src/gate/machine/state-text.ts'

/** What can happen to a gate: somebody asks for something, time passes, the clock is set, the process is killed and started again. */
type Happening =
  | { readonly kind: 'command'; readonly command: GateCommand }
  | { readonly kind: 'time'; readonly passesMs: number }
  | { readonly kind: 'clock'; readonly stepMs: number }
  | { readonly kind: 'restart' }

/** A gate as the keeper runs it: a timer on a clock that nobody sets, and times of a wall clock that anybody sets. */
class Model {
  state: GateState
  #wallMs = 1_700_000_000_000
  #passedMs = 0
  #dueMs: number | undefined
  /** How long the present mode has been left without word, over all restarts. */
  silentMs = 0
  restarts = 0

  constructor() {
    this.state = initialState(this.#wallMs)
  }

  do(happening: Happening): void {
    if (happening.kind === 'command') {
      const next = transition(this.state, happening.command, this.#wallMs)
      if (next !== this.state) this.#enter(next)
    } else if (happening.kind === 'time') this.pass(happening.passesMs)
    else if (happening.kind === 'clock') this.#wallMs = Math.max(0, this.#wallMs + happening.stepMs)
    else {
      this.state = parseGateState(gateStateText(this.state), 'gate.json')
      this.restarts += 1
      this.#watch()
    }
  }

  pass(durationMs: number): void {
    const untilMs = this.#passedMs + durationMs
    while (this.#dueMs !== undefined && this.#dueMs <= untilMs) {
      this.#go(this.#dueMs - this.#passedMs)
      this.#enter(transition(this.state, { kind: 'expire' }, Math.max(this.#wallMs, endsAtMs(this.state)!)))
    }
    this.#go(untilMs - this.#passedMs)
  }

  #go(durationMs: number): void {
    this.#passedMs += durationMs
    this.#wallMs += durationMs
    this.silentMs += durationMs
  }

  #enter(next: GateState): void {
    this.state = next
    this.silentMs = 0
    this.restarts = 0
    this.#watch()
  }

  #watch(): void {
    const leftMs = remainingMs(this.state, this.#wallMs)
    this.#dueMs = leftMs === undefined ? undefined : this.#passedMs + leftMs
  }
}

const by = fc.constantFrom('installer' as const, 'operator' as const)
const lastsMs = fc.oneof(fc.integer({ min: 0, max: 100_000 }), fc.double({ min: -5, max: 2e8, noNaN: true }))
const command: fc.Arbitrary<GateCommand> = fc.oneof(
  fc.record({
    kind: fc.constant('enter' as const),
    mode: fc.constantFrom('hold' as const, 'backoff' as const, 'drain' as const),
    reason: fc.string({ maxLength: 5 }),
    lastsMs,
    by,
    afterwards: fc.constantFrom('backoff' as const, 'pass' as const),
  }),
  fc.record({ kind: fc.constant('pass' as const), reason: fc.constant('x'), by }),
  fc.record({
    kind: fc.constant('pass' as const),
    reason: fc.constant('x'),
    by,
    recovery: fc.record({ lastsMs, perSecond: fc.integer({ min: 1, max: 1000 }) }),
  }),
  fc.record({
    kind: fc.constant('soften' as const),
    reason: fc.constant('x'),
    lastsMs,
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    by,
  }),
  fc.constant({ kind: 'expire' as const }),
)
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('command' as const), command }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('time' as const), passesMs: fc.integer({ min: 0, max: 200_000 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('clock' as const), stepMs: fc.integer({ min: -1e9, max: 1e9 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'restart' as const }) },
)

it('never holds without end, whatever is asked, however the clock is set, however often it is killed', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40 }), history => {
      const model = new Model()
      for (const each of history) {
        model.do(each)
        const { state } = model
        expect(parseGateState(gateStateText(state), 'x')).toEqual(state)
        expect(state.mode !== 'pass').toBe(state.deadlineAtMs !== undefined)
        // Without a word a mode lasts as long as it was meant to; every kill may begin that anew where the clock was set back.
        const meantMs = (state.deadlineAtMs ?? Number.POSITIVE_INFINITY) - state.sinceMs
        expect(model.silentMs).toBeLessThanOrEqual(meantMs * (1 + model.restarts))
      }
      // A hold, the backoff after it: then requests pass as they come.
      model.pass(longestModeMs)
      expect(model.state.mode).not.toBe('hold')
      model.pass(longestModeMs)
      expect(model.state).toMatchObject({ mode: 'pass' })
      expect(model.state.shaping).toBeUndefined()
    }),
    { numRuns: 300 },
  )
})

it('never loses an operator’s word to an installer, to a restart or to a clock that is set', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('hold' as const, 'backoff' as const, 'drain' as const),
      fc.array(
        happening.filter(each => each.kind !== 'time' && !(each.kind === 'command' && isAnybodys(each.command))),
        { maxLength: 30 },
      ),
      (mode, history) => {
        const model = new Model()
        model.do({ kind: 'command', command: { kind: 'enter', mode, reason: 'look', lastsMs: 60_000, by: 'operator' } })
        for (const each of history) model.do(each)
        expect(model.state).toMatchObject({ mode, by: 'operator' })
      },
    ),
    { numRuns: 300 },
  )
})

/** What ends an operator's word rightly: the operator, and the time that it was meant to last. */
function isAnybodys(asked: GateCommand): boolean {
  return asked.kind === 'expire' || asked.by === 'operator'
}

it('lasts an operator’s word as long as it was asked to, while the wall clock is set about', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1e9, max: 1e9 }), { maxLength: 10 }), steps => {
      const model = new Model()
      model.do({
        kind: 'command',
        command: { kind: 'enter', mode: 'drain', reason: 'x', lastsMs: 60_000, by: 'operator' },
      })
      for (const stepMs of steps) {
        model.do({ kind: 'clock', stepMs })
        model.pass(59_999 / Math.max(1, steps.length))
      }
      if (steps.length > 0) expect(model.state.mode).toBe('drain')
      model.pass(60_000)
      expect(model.state.mode).toBe('pass')
    }),
  )
})
