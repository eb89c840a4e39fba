import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type GateCommand,
  type GateMode,
  type GateState,
  gateStateText,
  initialState,
  parseGateState,
  remainingMs,
  transition,
} from '../../../../src/gate/machine/machine.ts'

const modes: readonly GateMode[] = ['pass', 'hold', 'backoff', 'drain']

function stateOf(mode: GateMode): GateState {
  if (mode === 'pass') return initialState(1000)
  return transition(initialState(0), { kind: 'enter', mode, reason: 'test', lastsMs: 5000, by: 'installer' }, 1000)
}

const commands: readonly GateCommand[] = [
  { kind: 'enter', mode: 'hold', reason: 'install', lastsMs: 2000, by: 'installer' },
  { kind: 'enter', mode: 'backoff', reason: 'overload', lastsMs: 2000, by: 'installer' },
  { kind: 'enter', mode: 'drain', reason: 'maintenance', lastsMs: 2000, by: 'installer' },
  { kind: 'pass', reason: 'done' },
  { kind: 'expire' },
]

describe('every state, saved and restored, before every command', () => {
  for (const mode of modes) {
    for (const command of commands) {
      it(`${mode} × ${command.kind} ${'mode' in command ? command.mode : ''}`, () => {
        const state = stateOf(mode)
        const restored = parseGateState(gateStateText(state), 'gate.json')
        expect(restored).toEqual(state)
        expect(transition(restored, command, 3000)).toEqual(transition(state, command, 3000))
        const next = transition(restored, command, 3000)
        if (command.kind === 'enter') expect(next.mode).toBe(command.mode)
        if (command.kind === 'pass') expect(next.mode).toBe('pass')
        if (command.kind === 'expire') expect(next).toBe(restored)
      })
    }
  }
})

describe('deadlines', () => {
  it('turns a hold into backoff for as long as the hold was meant to last, then passes', () => {
    const hold = transition(
      initialState(0),
      { kind: 'enter', mode: 'hold', reason: 'install', lastsMs: 5000, by: 'installer' },
      1000,
    )
    const backoff = transition(hold, { kind: 'expire' }, 6000)
    expect(backoff).toMatchObject({ mode: 'backoff', sinceMs: 6000, deadlineAtMs: 11_000 })
    expect(transition(backoff, { kind: 'expire' }, 11_000)).toMatchObject({ mode: 'pass', deadlineAtMs: undefined })
  })

  it('moves the deadline when the mode that holds is entered again, and keeps its beginning', () => {
    const again = transition(
      stateOf('hold'),
      { kind: 'enter', mode: 'hold', reason: 'still', lastsMs: 5000, by: 'installer' },
      4000,
    )
    expect(again).toMatchObject({ sinceMs: 1000, deadlineAtMs: 9000 })
  })

  it('leaves an operator’s mode an operator’s when an installer renews it', () => {
    const asked = transition(
      initialState(0),
      { kind: 'enter', mode: 'backoff', reason: 'x', lastsMs: 9, by: 'operator' },
      1,
    )
    const renewed = { kind: 'enter', mode: 'backoff', reason: 'x', lastsMs: 9, by: 'installer' } as const
    expect(transition(asked, renewed, 2).by).toBe('operator')
    expect(transition(asked, { ...renewed, mode: 'hold' }, 2).by).toBe('installer')
  })

  it('never lasts longer than it was meant to when the clock is set back', () => {
    expect(remainingMs(stateOf('hold'), -1_000_000)).toBe(5000)
  })

  it('always ends in pass when nobody says anything', () => {
    const command = fc.oneof(
      fc.record({
        kind: fc.constant('enter' as const),
        mode: fc.constantFrom('hold' as const, 'backoff' as const, 'drain' as const),
        reason: fc.string(),
        lastsMs: fc.integer({ min: 0, max: 1e8 }),
        by: fc.constantFrom('installer' as const, 'operator' as const),
      }),
      fc.record({ kind: fc.constant('pass' as const), reason: fc.string() }),
      fc.constant({ kind: 'expire' as const }),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(command, fc.integer({ min: 0, max: 1e7 }))), history => {
        let nowMs = 1_700_000_000_000
        let state = initialState(nowMs)
        for (const [next, laterMs] of history) {
          nowMs += laterMs
          state = transition(state, next, nowMs)
          expect((state.mode === 'pass') === (state.deadlineAtMs === undefined)).toBe(true)
          expect(parseGateState(gateStateText(state), 'x')).toEqual(state)
        }
        state = transition(state, { kind: 'expire' }, nowMs + 2e8)
        state = transition(state, { kind: 'expire' }, nowMs + 4e8)
        expect(state.mode).toBe('pass')
      }),
    )
  })
})

describe('the state file', () => {
  const text = gateStateText(stateOf('hold'))

  it('is refused when it is cut at any byte but the final newline', () => {
    for (let length = 0; length < text.length - 1; length += 1) {
      expect(() => parseGateState(text.slice(0, length), 'gate.json')).toThrow(
        expect.objectContaining({ code: 'GATE_STATE_INVALID' }),
      )
    }
    expect(parseGateState(text.slice(0, -1), 'gate.json')).toEqual(stateOf('hold'))
  })

  it.each([
    ['another schema', { schema: 2 }],
    ['an unknown mode', { mode: 'stop' }],
    ['no beginning', { sinceMs: 'now' }],
    ['a hold without a deadline', { deadlineAtMs: undefined }],
    ['a deadline before its beginning', { deadlineAtMs: 1 }],
    ['a reason that is no text', { reason: 7 }],
    ['pass with a deadline', { mode: 'pass' }],
    ['nobody who asked', { by: undefined }],
  ])('is refused with %s', (_name, change) => {
    expect(() => parseGateState(JSON.stringify({ ...stateOf('hold'), ...change }), 'gate.json')).toThrow(
      expect.objectContaining({ code: 'GATE_STATE_INVALID' }),
    )
  })

  it('is read or refused with a code, whatever is in it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), anything => {
        try {
          parseGateState(anything, 'gate.json')
        } catch (caught) {
          expect(caught).toMatchObject({ code: 'GATE_STATE_INVALID' })
        }
      }),
    )
  })
})
