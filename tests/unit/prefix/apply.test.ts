import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReleaseError, toReleaseError } from '../../../src/core/error.ts'
import { silent } from '../../../src/core/event.ts'
import { applyOps, beginTransaction, type InstallOp, undoTransaction } from '../../../src/prefix/apply.ts'
import type { Journal } from '../../../src/prefix/journal.ts'
import type { JournalRecord } from '../../../src/prefix/journal-record.ts'
import { type PlannedOp, planChange } from '../../../src/prefix/plan.ts'
import { isDataUnsettled, journaledOps, planRecovery } from '../../../src/prefix/recovery-plan.ts'
import { type PrefixState, replay, type Transaction } from '../../../src/prefix/state.ts'
import { committed } from './journal-story.ts'

describe('a change that meets faults', () => {
  const opNames = [...new Set([...plan('grown, restored'), ...plan('side by side')].map(op => op.name))]
  const fault = fc.record({
    op: fc.constantFrom(...opNames, ...opNames.map(name => `undo ${name}`)),
    at: fc.constantFrom('before' as const, 'inside' as const, 'after' as const),
    kind: fc.constantFrom('error' as const, 'death' as const, 'broken journal' as const),
  })

  it('always ends, after recoveries, with one version everywhere, the gate open, and data that the version can read', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...dataChanges),
        fc.array(fault, { maxLength: 4 }),
        fc.array(fc.boolean(), { maxLength: 4 }),
        async (change, faults, deadlines) => {
          const node = new Node(
            faults.filter(each => isPossible(each, change)),
            change,
            deadlines,
          )
          await node.change(plan(change))
          for (let attempts = 0; node.state.unfinished !== undefined; attempts += 1) {
            expect(attempts).toBeLessThan(10)
            await node.recover()
          }
          const { active, releases } = node.state
          expect(node).toMatchObject({ gate: 'pass', current: active, running: active, beside: undefined, harm: [] })
          expect(node.isStaged).toBe(releases.has('1.1.0') && releases.get('1.1.0')?.status !== 'failed')
          expect(node.data.kept).toBe(node.acknowledged)
          // Nothing old may run on data that only the new version understands.
          if (!isReadableByBoth(change) && node.data.format === '1.1.0') expect(active).toBe('1.1.0')
          const hasGrown = node.records.some(record => record.kind === 'done' && record.op === 'migrate:grow')
          const isRaised = hasGrown || (isMigratedShort(change) && node.data.format === '1.1.0')
          expect(node.state.rollbackFloor).toBe(isRaised ? '1.1.0' : undefined)
        },
      ),
      { numRuns: Number(process.env['CUTOVER_TEST_RUNS'] ?? 2000), examples: heldAgain },
    )
  })
})

it('lets a version go on beside one that failed, and has it back at once', async () => {
  const node = new Node([{ op: 'watch', at: 'before', kind: 'error' }], 'side by side')
  await node.change(plan('side by side'))
  expect(node).toMatchObject({ current: '1.0.0', running: '1.0.0', beside: undefined, gate: 'pass', harm: [] })
  const told = node.records.slice(node.records.findIndex(record => record.kind === 'undo'))
  expect(told.map(record => ('op' in record ? record.op : record.kind))).toEqual([
    'undo',
    'promote',
    'switch',
    'start-beside',
    'stage',
    'abort',
  ])
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
  const node = new Node([], 'forward-only')
  node.whenApplied = name => {
    node.isFull = name === 'migrate:data'
  }
  await node.change(plan('forward-only'))
  expect(node).toMatchObject({ data: { format: '1.1.0' }, current: '1.1.0', running: '1.1.0', gate: 'pass' })
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

it('puts data back that a migration of the failed version had changed', async () => {
  const node = new Node([strike('probe', 'error')], 'restored')
  await node.change(plan('restored'))
  expect(node).toMatchObject({ data: { format: '1.0.0' }, current: '1.0.0', running: '1.0.0', gate: 'pass', harm: [] })
  expect(node.state).toMatchObject({ rollbackFloor: undefined, unfinished: undefined, active: '1.0.0' })
  expect([...node.state.migrations]).toEqual([])
})

it('starts nothing on data that could not be put back', async () => {
  const node = new Node([strike('probe', 'error'), { op: 'undo backup', at: 'inside', kind: 'error' }], 'restored')
  await node.change(plan('restored'))
  expect(node).toMatchObject({ data: { format: 'torn' }, running: undefined, gate: 'hold' })
  expect(isDataUnsettled(node.state.unfinished!)).toBe(true)
  await node.recover()
  expect(node).toMatchObject({ data: { format: '1.0.0' }, current: '1.0.0', running: '1.0.0', gate: 'pass' })
})

describe('a contract of the data', () => {
  it('is finished once it was begun, whatever happens, and the version stays active', async () => {
    const names = ['migrate:drop', 'migrate:shrink']
    const death = fc.record({
      op: fc.constantFrom(...names),
      at: fc.constantFrom('before' as const, 'inside' as const, 'after' as const),
      kind: fc.constant('death' as const),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(death, { maxLength: 4 }), async faults => {
        const node = new Node(faults, 'forward-only')
        await node.change(
          names.map(name => ({ name, kind: 'migrate', undo: 'forward-only' })),
          'migrate',
        )
        while (node.state.unfinished !== undefined) await node.recover()
        expect(node.state).toMatchObject({ active: '1.0.0', activations: ['1.0.0'], avoided: new Set() })
        const last = node.state.transactions.at(-1)!
        const isBegun = node.records.some(record => record.kind === 'intent' && record.txn === last.txn)
        expect(last.outcome).toBe(isBegun ? 'committed' : 'aborted')
        expect(node.state.rollbackFloor).toBe(isBegun ? '1.0.0' : undefined)
      }),
      { numRuns: 200 },
    )
  })
})

/** The new version was made reachable, a recovery then held again, and was stopped before it passed. */
const heldAgain: [DataChange, Fault[], boolean[]][] = [
  ['forward-only', [strike('switch', 'error'), strike('start', 'error'), strike('start', 'error')], []],
  ['forward-only', [strike('switch', 'error'), strike('start', 'error'), strike('probe', 'death')], []],
]

function strike(op: string, kind: Fault['kind']): Fault {
  return { op, at: 'before', kind }
}

/** A migration that says it failed has changed nothing: that is asked of whoever writes one, where there is no backup. */
function isPossible({ op, at, kind }: Fault, change: DataChange): boolean {
  if (kind === 'death' || at === 'before') return true
  return op !== 'migrate:data' || change.includes('restored')
}

/** Where the process dies or an operation fails; strikes once. */
interface Fault {
  readonly op: string
  readonly at: 'before' | 'inside' | 'after'
  readonly kind: 'error' | 'death' | 'broken journal'
}

/** What a change does to the data: nothing, what both versions can read, what only the new one can; with a backup or without. */
type DataChange = (typeof dataChanges)[number]
const dataChanges = [
  'none',
  'compatible',
  'forward-only',
  'restored',
  'grown, restored',
  'outgrown',
  'outgrown, restored',
  'side by side',
] as const

const isReadableByBoth = (change: DataChange) => change === 'compatible' || change === 'side by side'

const besideOps: ReadonlySet<string> = new Set(['start-beside', 'canary', 'promote'])

const isMigratedShort = (change: DataChange) =>
  change === 'forward-only' || change === 'restored' || change === 'grown, restored'

const clock = { nowMs: () => 0, elapsedMs: () => 0 }

function plan(change: DataChange): readonly PlannedOp[] {
  const rollback = change === 'compatible' ? change : 'forward-only'
  const grow = { name: 'grow', phase: 'expand', rollback: 'forward-only' } as const
  return planChange({
    command: 'install',
    version: '1.1.0',
    from: '1.0.0',
    isComplete: false,
    isServing: true,
    migrations: [
      ...(change.startsWith('grown') ? [grow] : []),
      ...(change === 'compatible' || isMigratedShort(change)
        ? [{ name: 'data', phase: 'short', rollback } as const]
        : []),
    ],
    migrationsDone: new Set(),
    backup: change.includes('restored') ? { when: 'forward-only', canRestore: true } : undefined,
    outgrowsActive: change.startsWith('outgrown'),
    overlap: change === 'side by side' ? {} : undefined,
  }).ops
}

/** What is stored: in which version's format, and how many of the clients' writes. */
interface StoredData {
  readonly format: '1.0.0' | '1.1.0' | 'torn'
  readonly kept: number
}

/** A machine whose parts are variables: what operations do to it can be looked at. It has 1.0.0 and is to get 1.1.0. */
class Node {
  isStaged = false
  isFull = false
  current: string | undefined = '1.0.0'
  running: string | undefined = '1.0.0'
  /** What runs beside it. */
  beside: string | undefined
  data: StoredData = { format: '1.0.0', kept: 0 }
  backup: StoredData | undefined
  /** How many writes clients were told of. */
  acknowledged = 0
  /** What must never happen, but did. */
  readonly harm: string[] = []
  gate: 'pass' | 'hold' = 'pass'
  whenApplied: (name: string) => void = () => {}
  whenDiscarded = () => {}
  readonly records: JournalRecord[] = []
  readonly #faults: Fault[]
  readonly #change: DataChange
  /** Whether a hold lasts longer than it may, and the serving process is started anew, before each recovery. */
  readonly #deadlines: boolean[]
  #isDead = false
  /** Nothing can be journaled until the next process, which finds the disk mended. */
  #isBroken = false
  #unjournaled = new Set<string>()

  constructor(faults: readonly Fault[], change: DataChange = 'none', deadlines: readonly boolean[] = []) {
    this.#faults = [...faults]
    this.#change = change
    this.#deadlines = [...deadlines]
    const journal = this.#journal()
    for (const entry of committed('1.0.0')) journal.append(1, entry)
  }

  get state(): PrefixState {
    return replay(this.records)
  }

  /** Run a change as the first process does. */
  async change(planned: readonly PlannedOp[], command: 'install' | 'migrate' = 'install'): Promise<void> {
    const ops = planned.map(({ kind: _, ...op }) => op)
    const version = command === 'install' ? '1.1.0' : '1.0.0'
    const begin = { command, version, from: '1.0.0', recordDigest: '', by: '', ops } as const
    const txn = beginTransaction(this.#journal(), begin)
    await this.#apply(planned, planned, { txn, version })
  }

  /** End it as the next process does. */
  async recover(): Promise<void> {
    this.#isDead = false
    this.#isBroken = false
    this.#unjournaled = new Set()
    const transaction = this.state.unfinished!
    if (this.#deadlines.shift() === true) this.#meetDeadline(transaction)
    const planned = journaledOps(transaction)
    const decided = planRecovery(transaction, { serves: { version: this.running }, isComplete: this.isStaged })
    if (decided.kind === 'finish') await this.#apply(decided.ops, planned, transaction)
    else await this.#undo(planned, 'INTERRUPTED')
  }

  /** The serving process brings back what is active when a hold has lasted as long as it may. */
  #meetDeadline(transaction: Transaction): void {
    // Who died left what it had started; a serving process that is started anew has what `current` names.
    this.beside = undefined
    if (this.#change === 'side by side') this.running = this.current
    if (this.gate === 'pass' || isDataUnsettled(transaction)) return
    this.running = this.current
    this.gate = 'pass'
    this.#serve()
  }

  async #apply(
    ops: readonly PlannedOp[],
    planned: readonly PlannedOp[],
    transaction: Pick<Transaction, 'txn' | 'version'>,
  ): Promise<void> {
    try {
      await applyOps(this.#bind(ops), transaction, this.#tools())
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
        if (this.#isBroken) throw new ReleaseError('FILE_IO', 'a broken disk')
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
        isDone: () =>
          (op.kind === 'switch' && this.current === '1.1.0') || (besideOps.has(op.kind) && this.running === '1.1.0'),
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
    this.#serve()
    this.#meet(name, 'after')
  }

  #meet(name: string, at: Fault['at']): void {
    if (this.#isDead) throw new Error('the dead do nothing')
    const index = this.#faults.findIndex(fault => fault.op === name && fault.at === at)
    if (index < 0) return
    const [fault] = this.#faults.splice(index, 1)
    if (fault?.kind === 'death') this.#isDead = true
    if (fault?.kind === 'broken journal') {
      this.#isBroken = true
      return
    }
    throw new ReleaseError('INSTALL_UNHEALTHY', `a fault ${at} ${name}`)
  }

  #do(op: PlannedOp): void {
    if (op.kind === 'stage') this.isStaged = true
    if (op.name === 'backup') this.#backUp()
    if (op.kind === 'migrate' && op.name !== 'migrate:grow') this.#write(op.name, { ...this.data, format: '1.1.0' })
    if (op.kind === 'hold') this.gate = 'hold'
    if (op.kind === 'stop') this.running = undefined
    if (op.kind === 'switch') this.current = '1.1.0'
    if (op.kind === 'start') this.#start('1.1.0')
    if (op.kind === 'pass') this.gate = 'pass'
    if (op.kind === 'start-beside') this.beside = '1.1.0'
    if (op.kind === 'promote') this.#promote('1.1.0')
    if (op.kind === 'retire') this.#retire('1.0.0')
  }

  #promote(version: '1.0.0' | '1.1.0'): void {
    if (this.beside !== version) throw new ReleaseError('OVERLAP_LOST', `${version} does not run`)
    this.beside = this.running
    this.running = version
  }

  #retire(version: '1.0.0' | '1.1.0'): void {
    if (this.beside === version) this.beside = undefined
  }

  #bringBack(): void {
    if (this.running === '1.0.0') return
    this.beside = '1.0.0'
    this.#promote('1.0.0')
  }

  #takeBack(op: PlannedOp): void {
    if (op.kind === 'stage') {
      this.isStaged = false
      this.whenDiscarded()
    }
    if (op.kind === 'hold') this.gate = 'pass'
    if (op.kind === 'backup') this.#write('undo backup', this.backup!)
    if (op.kind === 'stop') this.#start('1.0.0')
    if (op.kind === 'switch') this.current = '1.0.0'
    if (op.kind === 'start') this.running = undefined
    if (op.kind === 'pass') this.gate = 'hold'
    if (besideOps.has(op.kind)) this.#bringBack()
    if (op.kind === 'start-beside') this.#retire('1.1.0')
  }

  #backUp(): void {
    if (this.running !== undefined) this.harm.push('a backup was made beside a running version')
    this.backup = this.data
  }

  /** Nothing that is cut in its middle leaves data that anybody can read. */
  #write(op: string, data: StoredData): void {
    if (this.running !== undefined && this.#change !== 'compatible' && op !== 'migrate:drop' && op !== 'migrate:shrink')
      this.harm.push(`${op} beside a running version`)
    if (this.#change !== 'compatible') this.data = { ...this.data, format: 'torn' }
    this.#meet(op, 'inside')
    this.data = data
  }

  #start(version: '1.0.0' | '1.1.0'): void {
    if (this.running === version) return
    this.running = version
    // A version may change what it finds when it starts; one that has no backup leaves that until it is asked for something.
    if (version === '1.1.0' && this.#change === 'outgrown, restored') this.data = { ...this.data, format: '1.1.0' }
    this.#assertReadable()
  }

  #assertReadable(): void {
    const { format } = this.data
    const isReadable =
      format !== 'torn' && (format === '1.0.0' || this.running !== '1.0.0' || this.#change === 'compatible')
    if (!isReadable) this.harm.push(`${this.running} runs on data of ${format}`)
  }

  /** Clients read and write whenever they are let through. */
  #serve(): void {
    if (this.#change === 'side by side' && (this.gate !== 'pass' || this.running === undefined))
      this.harm.push('somebody had to wait')
    if (this.gate !== 'pass' || this.running === undefined) return
    this.#assertReadable()
    this.acknowledged += 1
    const isOutgrown = this.running === '1.1.0' && /grown/.test(this.#change)
    this.data = { format: isOutgrown ? '1.1.0' : this.data.format, kept: this.data.kept + 1 }
  }
}
