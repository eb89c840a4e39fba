import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReleaseError, toReleaseError } from '../../../src/core/error.ts'
import { silent } from '../../../src/core/event.ts'
import { applyOps, beginTransaction, type InstallOp, undoTransaction } from '../../../src/prefix/apply.ts'
import type { Journal } from '../../../src/prefix/journal.ts'
import type { JournalRecord } from '../../../src/prefix/journal-record.ts'
import { journaledOps, type PlannedOp, planChange, planRecovery } from '../../../src/prefix/plan.ts'
import { type PrefixState, replay } from '../../../src/prefix/state.ts'
import { committed } from './journal-story.ts'

describe('a change that meets faults', () => {
  const opNames = plan('forward-only').map(op => op.name)
  const fault = fc.record({
    op: fc.constantFrom(...opNames, ...opNames.map(name => `undo ${name}`)),
    at: fc.constantFrom('before' as const, 'after' as const),
    kind: fc.constantFrom('error' as const, 'death' as const),
  })
  // A migration that says it failed has changed nothing: that is asked of whoever writes one.
  const possible = fault.filter(({ op, at, kind }) => !(op === 'migrate:data' && at === 'after' && kind === 'error'))

  it('always ends, after recoveries, with one version everywhere and the gate open', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('none' as const, 'compatible' as const, 'forward-only' as const),
        fc.array(possible, { maxLength: 4 }),
        async (migration, faults) => {
          const node = new Node(faults)
          await node.change(plan(migration))
          for (let attempts = 0; node.state.unfinished !== undefined; attempts += 1) {
            expect(attempts).toBeLessThan(10)
            await node.recover()
          }
          const { active, releases } = node.state
          expect(node).toMatchObject({ gate: 'pass', current: active, running: active })
          expect(node.isStaged).toBe(releases.has('1.1.0') && releases.get('1.1.0')?.status !== 'failed')
          // Nothing old may run on data that only the new version understands.
          if (migration === 'forward-only' && node.data === '1.1.0') expect(active).toBe('1.1.0')
        },
      ),
      { numRuns: 2000, examples: heldAgain },
    )
  })
})

it('journals intent before and outcome after each effect, and commits last', async () => {
  const node = new Node([])
  await node.change(plan('none'))
  const told = node.records.filter(record => record.txn === 2)
  const expected = plan('none').flatMap(op => [`intent ${op.name}`, `done ${op.name}`])
  expect(told.map(record => ('op' in record ? `${record.kind} ${record.op}` : record.kind))).toEqual([
    'begin',
    ...expected,
    'commit',
  ])
})

it('takes back in the opposite order, with the decision journaled first', async () => {
  const node = new Node([{ op: 'probe', at: 'before', kind: 'error' }])
  await node.change(plan('none'))
  const told = node.records.slice(node.records.findIndex(record => record.kind === 'undo'))
  expect(told.map(record => ('op' in record ? record.op : record.kind))).toEqual([
    'undo',
    'start',
    'switch',
    'stop',
    'hold',
    'stage',
    'abort',
  ])
})

it('ends a change whose journal is full once what it takes back has made room', async () => {
  const node = new Node([{ op: 'setup', at: 'after', kind: 'error' }])
  node.whenApplied = name => {
    if (name === 'stage') node.isFull = true
  }
  node.whenDiscarded = () => {
    node.isFull = false
  }
  await node.change(plan('none'))
  expect(node.isStaged).toBe(false)
  expect(node.state).toMatchObject({ unfinished: undefined, active: '1.0.0' })
  expect(node.state.transactions.at(-1)?.failure?.code).toBe('JOURNAL_FULL')
})

it('knows of a forward-only migration that the journal had no room for', async () => {
  const node = new Node([])
  node.whenApplied = name => {
    node.isFull = name === 'migrate:data'
  }
  await node.change(plan('forward-only'))
  expect(node).toMatchObject({ data: '1.1.0', current: '1.1.0', running: '1.1.0', gate: 'pass' })
  expect(node.state).toMatchObject({ active: '1.1.0', rollbackFloor: '1.1.0', unfinished: undefined })
})

it('stays unfinished while something cannot be taken back', async () => {
  const node = new Node([
    { op: 'probe', at: 'before', kind: 'error' },
    { op: 'undo start', at: 'before', kind: 'error' },
  ])
  await node.change(plan('none'))
  expect(node.state.unfinished?.failure?.code).toBe('INSTALL_UNHEALTHY')
  const undone = node.state.unfinished?.ops.filter(op => op.state === 'undone').map(op => op.name)
  expect(undone).toEqual([])
  expect(node).toMatchObject({ current: '1.0.0', running: '1.0.0', gate: 'pass' })
  await node.recover()
  expect(node).toMatchObject({ current: '1.0.0', running: '1.0.0', gate: 'pass' })
})

/** The new version was made reachable, a recovery then held again, and was stopped before it passed. */
const heldAgain: [Parameters<typeof plan>[0], Fault[]][] = [
  ['forward-only', [strike('switch', 'error'), strike('start', 'error'), strike('start', 'error')]],
  ['forward-only', [strike('switch', 'error'), strike('start', 'error'), strike('probe', 'death')]],
]

function strike(op: string, kind: Fault['kind']): Fault {
  return { op, at: 'before', kind }
}

/** Where the process dies or an operation fails; strikes once. */
interface Fault {
  readonly op: string
  readonly at: 'before' | 'after'
  readonly kind: 'error' | 'death'
}

const clock = { nowMs: () => 0, elapsedMs: () => 0 }

function plan(migration: 'none' | 'compatible' | 'forward-only'): readonly PlannedOp[] {
  const migrations = migration === 'none' ? [] : [{ name: 'data', phase: 'short', rollback: migration } as const]
  const input = { command: 'install', version: '1.1.0', from: '1.0.0', isComplete: false, isServing: true } as const
  return planChange({ ...input, migrations, migrationsDone: new Set() }).ops
}

/** A machine whose parts are variables: what operations do to it can be looked at. It has 1.0.0 and is to get 1.1.0. */
class Node {
  isStaged = false
  isFull = false
  current: string | undefined = '1.0.0'
  running: string | undefined = '1.0.0'
  data = '1.0.0'
  gate: 'pass' | 'hold' = 'pass'
  whenApplied: (name: string) => void = () => {}
  whenDiscarded = () => {}
  readonly records: JournalRecord[] = []
  readonly #faults: Fault[]
  #isDead = false
  #unjournaled = new Set<string>()

  constructor(faults: readonly Fault[]) {
    this.#faults = [...faults]
    const journal = this.#journal()
    for (const entry of committed('1.0.0')) journal.append(1, entry)
  }

  get state(): PrefixState {
    return replay(this.records)
  }

  /** Run a change as the first process does. */
  async change(planned: readonly PlannedOp[]): Promise<void> {
    const ops = planned.map(({ name, undo }) => ({ name, undo }))
    const begin = { command: 'install', version: '1.1.0', from: '1.0.0', recordDigest: '', by: '', ops } as const
    const txn = beginTransaction(this.#journal(), begin)
    await this.#apply(planned, planned, txn)
  }

  /** End it as the next process does. */
  async recover(): Promise<void> {
    this.#isDead = false
    this.#unjournaled = new Set()
    const transaction = this.state.unfinished!
    const planned = journaledOps(transaction)
    const decided = planRecovery(transaction, { serves: { version: this.running } })
    if (decided.kind === 'finish') await this.#apply(decided.ops, planned, transaction.txn)
    else await this.#undo(planned, 'INTERRUPTED')
  }

  async #apply(ops: readonly PlannedOp[], planned: readonly PlannedOp[], txn: number): Promise<void> {
    try {
      await applyOps(this.#bind(ops), { txn, version: '1.1.0' }, this.#tools())
    } catch (caught) {
      if (!this.#isDead) await this.#undo(planned, toReleaseError(caught).code)
    }
  }

  async #undo(planned: readonly PlannedOp[], code: string): Promise<void> {
    try {
      await undoTransaction(this.#bind(planned), { code, reason: 'told by a test' }, this.#tools())
    } catch (caught) {
      if (!this.#isDead) throw caught
    }
  }

  #tools() {
    return { journal: this.#journal(), unjournaled: this.#unjournaled, emit: silent, clock }
  }

  #journal(): Journal {
    const { records } = this
    return {
      records,
      append: (txn, entry) => {
        if (this.#isDead) throw new Error('the dead write nothing')
        if (this.isFull) throw new ReleaseError('JOURNAL_FULL', 'no room')
        const record = { schema: 1, seq: records.length + 1, txn, at: 0, ...entry } as const
        records.push(record)
        return record
      },
      close: () => {},
      [Symbol.dispose]: () => {},
    }
  }

  #bind(ops: readonly PlannedOp[]): readonly InstallOp[] {
    return ops.map(op => ({
      ...op,
      effect: {
        isDone: () => op.kind === 'switch' && this.current === '1.1.0',
        apply: () => {
          this.#strike(op.name, () => this.#do(op))
          this.whenApplied(op.name)
          return undefined
        },
        revert: () => this.#strike(`undo ${op.name}`, () => this.#takeBack(op)),
      },
    }))
  }

  #strike(name: string, effect: () => void): void {
    this.#meet(name, 'before')
    effect()
    this.#meet(name, 'after')
  }

  #meet(name: string, at: Fault['at']): void {
    if (this.#isDead) throw new Error('the dead do nothing')
    const index = this.#faults.findIndex(fault => fault.op === name && fault.at === at)
    if (index < 0) return
    const [fault] = this.#faults.splice(index, 1)
    if (fault?.kind === 'death') this.#isDead = true
    throw new ReleaseError('INSTALL_UNHEALTHY', `a fault ${at} ${name}`)
  }

  #do(op: PlannedOp): void {
    if (op.kind === 'stage') this.isStaged = true
    if (op.kind === 'migrate') this.data = '1.1.0'
    if (op.kind === 'hold') this.gate = 'hold'
    if (op.kind === 'stop') this.running = undefined
    if (op.kind === 'switch') this.current = '1.1.0'
    if (op.kind === 'start') this.running = '1.1.0'
    if (op.kind === 'pass') this.gate = 'pass'
  }

  #takeBack(op: PlannedOp): void {
    if (op.kind === 'stage') {
      this.isStaged = false
      this.whenDiscarded()
    }
    if (op.kind === 'hold') this.gate = 'pass'
    if (op.kind === 'stop') this.running = '1.0.0'
    if (op.kind === 'switch') this.current = '1.0.0'
    if (op.kind === 'start') this.running = undefined
    if (op.kind === 'pass') this.gate = 'hold'
  }
}
