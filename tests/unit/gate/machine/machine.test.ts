import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Afterwards,
  type GateAsker,
  type GateCommand,
  type GateMode,
  type GateState,
  initialState,
  remainingMs,
  transition,
} from '../../../../src/gate/machine/machine.ts'
import { gateStateText, parseGateState } from '../../../../src/gate/machine/state-text.ts'

/** Every kind of state that there is. */
const states: Readonly<Record<string, GateState>> = {
  pass: initialState(1000),
  hold: entered('hold', 'installer'),
  'hold, then pass': entered('hold', 'installer', 'pass'),
  backoff: entered('backoff', 'installer'),
  drain: entered('drain', 'installer'),
  'an operator’s hold': entered('hold', 'operator'),
  'an operator’s backoff': entered('backoff', 'operator'),
  soft: transition(initialState(0), soften('installer'), 1000),
  'an operator’s soft': transition(initialState(0), soften('operator'), 1000),
  recovery: transition(
    entered('hold', 'installer'),
    { kind: 'pass', reason: 'test', by: 'installer', recovery: { lastsMs: 5000, perSecond: 10 } },
    1000,
  ),
}

function entered(mode: Exclude<GateMode, 'pass'>, by: GateAsker, afterwards?: Afterwards): GateState {
  const command = { kind: 'enter', mode, reason: 'test', lastsMs: 5000, by } as const
  return transition(initialState(0), afterwards === undefined ? command : { ...command, afterwards }, 1000)
}

function soften(by: GateAsker, lastsMs = 5000): GateCommand {
  return { kind: 'soften', reason: 'test', lastsMs, share: 0.5, by }
}

const commands: Readonly<Record<string, GateCommand>> = {
  hold: { kind: 'enter', mode: 'hold', reason: 'install', lastsMs: 2000, by: 'installer' },
  backoff: { kind: 'enter', mode: 'backoff', reason: 'overload', lastsMs: 2000, by: 'installer' },
  drain: { kind: 'enter', mode: 'drain', reason: 'maintenance', lastsMs: 2000, by: 'installer' },
  'an operator’s hold': { kind: 'enter', mode: 'hold', reason: 'look', lastsMs: 2000, by: 'operator' },
  'an operator’s drain': { kind: 'enter', mode: 'drain', reason: 'disk', lastsMs: 2000, by: 'operator' },
  pass: { kind: 'pass', reason: 'done', by: 'installer' },
  'pass with recovery': {
    kind: 'pass',
    reason: 'done',
    by: 'installer',
    recovery: { lastsMs: 2000, perSecond: 5 },
  },
  'an operator’s pass': { kind: 'pass', reason: 'done', by: 'operator' },
  soften: soften('installer', 2000),
  'an operator’s soften': soften('operator', 2000),
  expire: { kind: 'expire' },
}

/** The mode, who asked for it, and what shapes it. */
function told({ mode, by, shaping, afterwards }: GateState): string {
  return [mode === 'pass' ? 'pass' : `${mode} by ${by}`, shaping?.kind, afterwards].filter(Boolean).join(' + ')
}

describe('every state, saved and restored, before every command', () => {
  /** What an installer asks for and an operator asks for, from each state; the columns are those of `commands`. */
  const expected: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
    Object.entries(states).map(([name, state]) => [
      name,
      Object.values(commands).map(command => expectedAfter(name, state, command)),
    ]),
  )

  for (const [name, state] of Object.entries(states)) {
    for (const [index, [asked, command]] of Object.entries(commands).entries()) {
      it(`${name} × ${asked}`, () => {
        const restored = parseGateState(gateStateText(state), 'gate.json')
        expect(restored).toEqual(state)
        const next = transition(restored, command, 3000)
        expect(next).toEqual(transition(state, command, 3000))
        expect(told(next)).toBe(expected[name]![index])
      })
    }
  }
})

/** The table of transitions in words of its own: who wins, and what is left. */
function expectedAfter(name: string, state: GateState, command: GateCommand): string {
  const isOperators = name.startsWith('an operator’s') && state.mode !== 'pass'
  switch (command.kind) {
    case 'expire':
      return told(state)
    case 'enter': {
      if (isOperators && command.by === 'installer') return told(state)
      const goesOn = state.mode === command.mode
      const afterwards = goesOn && name === 'hold, then pass' ? ' + pass' : ''
      return `${command.mode} by ${isOperators && goesOn ? 'operator' : command.by}${afterwards}`
    }
    case 'pass':
      if (command.by === 'installer' && (isOperators || state.mode === 'pass')) return told(state)
      return command.recovery === undefined ? 'pass' : 'pass + recovery'
    case 'soften':
      return state.mode === 'pass' ? 'pass + soft' : told(state)
  }
}

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
      states['hold']!,
      { kind: 'enter', mode: 'hold', reason: 'still', lastsMs: 5000, by: 'installer' },
      4000,
    )
    expect(again).toMatchObject({ sinceMs: 1000, deadlineAtMs: 9000 })
  })

  it('opens instead where the recipe says so', () => {
    const { deadlineAtMs } = states['hold, then pass']!
    expect(transition(states['hold, then pass']!, { kind: 'expire' }, deadlineAtMs!)).toMatchObject({
      mode: 'pass',
      deadlineAtMs: undefined,
    })
  })

  it('leaves an operator’s mode an operator’s, and only puts its end off for an installer', () => {
    const operators = states['an operator’s backoff']!
    const hold = commands['hold'] as Extract<GateCommand, { kind: 'enter' }>
    expect(transition(operators, hold, 1100)).toBe(operators)
    expect(transition(operators, { ...hold, lastsMs: 60_000 }, 1100)).toEqual({ ...operators, deadlineAtMs: 61_100 })
    expect(transition(operators, { kind: 'pass', reason: 'nobody in particular' }, 1100).mode).toBe('pass')
  })

  it('ends a shaping, and not the mode', () => {
    expect(transition(states['soft']!, { kind: 'expire' }, 5999)).toBe(states['soft'])
    expect(told(transition(states['soft']!, { kind: 'expire' }, 6000))).toBe('pass')
    expect(remainingMs(states['recovery']!, 2000)).toBe(4000)
  })

  it('ends a soft phase that is asked to last no longer, but not an operator’s for an installer', () => {
    expect(told(transition(states['soft']!, soften('installer', 0), 2000))).toBe('pass')
    expect(transition(states['an operator’s soft']!, soften('installer', 0), 2000)).toBe(states['an operator’s soft'])
    expect(told(transition(states['an operator’s soft']!, soften('operator', 0), 2000))).toBe('pass')
  })

  it('never lasts longer than it was meant to when the clock is set back', () => {
    expect(remainingMs(states['hold']!, -1_000_000)).toBe(5000)
  })
})

describe('the state file', () => {
  const text = gateStateText(states['hold']!)

  it('is refused when it is cut at any byte but the final newline', () => {
    for (let length = 0; length < text.length - 1; length += 1) {
      expect(() => parseGateState(text.slice(0, length), 'gate.json')).toThrow(
        expect.objectContaining({ code: 'GATE_STATE_INVALID' }),
      )
    }
    expect(parseGateState(text.slice(0, -1), 'gate.json')).toEqual(states['hold']!)
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
    ['a shaping of a hold', { shaping: states['soft']!.shaping }],
    ['something odd afterwards', { afterwards: 'stop' }],
  ])('is refused with %s', (_name, change) => {
    expect(() => parseGateState(JSON.stringify({ ...states['hold']!, ...change }), 'gate.json')).toThrow(
      expect.objectContaining({ code: 'GATE_STATE_INVALID' }),
    )
  })

  it.each([
    ['no object', 7],
    ['no kind', { kind: 'hard' }],
    ['no beginning', { sinceMs: undefined }],
    ['an end before its beginning', { endsAtMs: 1 }],
    ['a share above 1', { share: 2 }],
    ['a recovery of no rate', { kind: 'recovery', perSecond: 0 }],
  ])('is refused with a shaping of %s', (_name, change) => {
    const shaping = typeof change === 'object' ? { ...states['soft']!.shaping, ...change } : change
    expect(() => parseGateState(JSON.stringify({ ...states['soft'], shaping }), 'gate.json')).toThrow(
      expect.objectContaining({ code: 'GATE_STATE_INVALID' }),
    )
  })

  it('of an older gate, without shapings, is read as it is', () => {
    const old = '{"schema":1,"mode":"hold","sinceMs":1,"deadlineAtMs":2,"reason":"x","by":"installer"}\n'
    expect(gateStateText(parseGateState(old, 'gate.json'))).toBe(old)
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
