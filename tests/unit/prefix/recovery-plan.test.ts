import { describe, expect, it } from 'vitest'
import { type PlanInput, planChange } from '../../../src/prefix/plan.ts'
import { isDataUnsettled, journaledOps, planRecovery, undoOrder } from '../../../src/prefix/recovery-plan.ts'
import type { OpProgress, Transaction } from '../../../src/prefix/state.ts'

const input: PlanInput = {
  command: 'install',
  version: '1.1.0',
  from: '1.0.0',
  isComplete: false,
  isServing: true,
  migrations: [
    { name: 'add', phase: 'expand', rollback: 'compatible' },
    { name: 'drop', phase: 'short', rollback: 'forward-only' },
  ],
  migrationsDone: new Set(),
}

const names = (plan: { readonly ops: readonly { readonly name: string }[] }) => plan.ops.map(op => op.name)

describe('data between two versions', () => {
  const backup = { when: 'forward-only', canRestore: true } as const
  const at = (name: string, more: Partial<PlanInput>) => isDataUnsettled(interruptedAt(name, input.migrations, more))

  it('is data that a backup may be put back over, until requests are let through', () => {
    expect(at('backup', { backup })).toBe(false)
    expect(at('migrate:drop', { backup })).toBe(true)
    expect(at('start', { backup })).toBe(true)
    expect(at('pass', { backup })).toBe(false)
  })

  it('is what only the new version can read, until that is the active one', () => {
    expect(at('stop', {})).toBe(false)
    expect(at('migrate:drop', {})).toBe(true)
    expect(at('switch', {})).toBe(true)
    expect(at('start', {})).toBe(false)
  })
})

describe('recovery', () => {
  const serves = { version: '1.0.0' }
  const whole = { isComplete: true }

  it('undoes what did not get to the switch', () => {
    expect(planRecovery(interruptedAt('stop'), { ...whole, serves })).toEqual({ kind: 'undo' })
    expect(planRecovery(interruptedAt('switch'), { ...whole, serves })).toEqual({ kind: 'undo' })
  })

  it('undoes what was switched to files that are gone', () => {
    const input = { serves: { version: '1.1.0' }, isComplete: false }
    expect(planRecovery(interruptedAt('watch'), input)).toEqual({ kind: 'undo' })
  })

  it('finishes what was switched: without a new hold where the new version runs, with one where it does not', () => {
    const finish = (version: string | undefined) =>
      planRecovery(interruptedAt('start'), { ...whole, serves: { version } })
    expect(opsOf(finish('1.1.0'))).toBe('switch probe pass watch')
    expect(opsOf(finish('1.0.0'))).toBe('hold drain stop switch start probe pass watch')
    expect(opsOf(finish(undefined))).toBe('hold drain stop switch start probe pass watch')
  })

  it('finishes what only had to be let through', () => {
    expect(opsOf(planRecovery(interruptedAt('pass'), { ...whole, serves: { version: '1.1.0' } }))).toBe(
      'switch pass watch',
    )
    expect(opsOf(planRecovery(interruptedAt('watch'), { ...whole, serves: 'idle' }))).toBe('switch')
  })

  it('does not believe in a version that was never healthy when nobody can be asked', () => {
    expect(planRecovery(interruptedAt('probe'), { ...whole, serves: 'idle' })).toEqual({ kind: 'undo' })
  })

  it('finishes without asking where nothing served from the beginning', () => {
    const idle = planChange({ ...input, isServing: false, migrations: [] }).ops
    const transaction = { ...interruptedAt('switch'), planned: idle, ops: progress(idle.map(op => op.name)) }
    expect(opsOf(planRecovery(transaction, { ...whole, serves: 'idle' }))).toBe('switch')
  })

  it('goes on with an undoing that was begun', () => {
    const failure = { code: 'INSTALL_UNHEALTHY', reason: 'status 500' }
    expect(planRecovery({ ...interruptedAt('pass'), failure }, { ...whole, serves })).toEqual({ kind: 'undo' })
  })

  it('never goes back past a forward-only migration, nor past one that nobody saw the end of', () => {
    const migrations = input.migrations
    for (const [last, rest] of [
      ['switch', 'hold drain stop switch start probe pass watch'],
      ['migrate:drop', 'hold drain stop migrate:drop switch start probe pass watch'],
    ] as const) {
      const plan = planRecovery(interruptedAt(last, migrations), { ...whole, serves })
      expect(opsOf(plan)).toBe(rest)
    }
    const failure = { code: 'MIGRATION_FAILED', reason: 'exit code 1' }
    expect(planRecovery({ ...interruptedAt('migrate:drop', migrations), failure }, { ...whole, serves })).toEqual({
      kind: 'undo',
    })
  })

  it('takes back last what was begun first, also what was begun only', () => {
    const transaction = interruptedAt('stop')
    const ops = journaledOps(transaction)
    expect(undoOrder(ops, transaction.ops).map(op => op.name)).toEqual(['stop', 'hold', 'stage'])
    const rest = transaction.ops.map(op => (op.name === 'stop' ? { ...op, state: 'undone' as const } : op))
    expect(undoOrder(ops, rest).map(op => op.name)).toEqual(['hold', 'stage'])
  })

  it('puts a backup back only where something behind it may have changed the data', () => {
    const backup = { when: 'forward-only', canRestore: true } as const
    const undone = (name: string) => {
      const transaction = interruptedAt(name, input.migrations, { backup })
      return undoOrder(journaledOps(transaction), transaction.ops).map(op => op.name)
    }
    expect(undone('backup')).toEqual(['stop', 'hold', 'stage'])
    expect(undone('migrate:drop')).toEqual(['backup', 'stop', 'hold', 'stage'])
    expect(undone('probe')).toEqual(['start', 'switch', 'backup', 'stop', 'hold', 'stage'])
  })

  it('leaves operations of a later version of this tool alone', () => {
    const planned = [{ name: 'teleport', undo: 'exact' as const }]
    expect(journaledOps({ ...interruptedAt('stop'), planned })).toEqual([])
  })
})

describe('two versions side by side', () => {
  const overlap = {}

  it('are recovered forward from the switch on: what does not run any more is started and asked again', () => {
    const at = (name: string) => interruptedAt(name, [], { overlap })
    const recovered = (name: string, serves: Parameters<typeof planRecovery>[1]['serves']) =>
      opsOf(planRecovery(at(name), { isComplete: true, serves }))
    expect(recovered('canary', { version: '1.0.0' })).toBe('undo')
    expect(recovered('switch', { version: '1.0.0' })).toBe('undo')
    expect(recovered('promote', { version: '1.0.0' })).toBe('start-beside probe switch promote watch retire')
    expect(recovered('promote', { version: '1.1.0' })).toBe('switch promote watch retire')
    expect(recovered('watch', { version: '1.1.0' })).toBe('switch watch retire')
    expect(recovered('watch', 'idle')).toBe('switch')
  })

  it('leave data that anything may be started on', () => {
    for (const name of ['start-beside', 'canary', 'switch', 'promote', 'retire'])
      expect(isDataUnsettled(interruptedAt(name, [], { overlap }))).toBe(false)
  })
})

function opsOf(plan: ReturnType<typeof planRecovery>): string {
  return plan.kind === 'finish' ? names(plan).join(' ') : plan.kind
}

/** A transaction that was killed inside an operation. */
function interruptedAt(
  name: string,
  migrations: PlanInput['migrations'] = [],
  more: Partial<PlanInput> = {},
): Transaction {
  const planned = planChange({ ...input, migrations, ...more }).ops
  const all = planned.map(op => op.name)
  const at = all.indexOf(name)
  return {
    txn: 1,
    command: 'install',
    version: '1.1.0',
    from: '1.0.0',
    recordDigest: 'sha256:00',
    by: 'ada@node',
    beganAtMs: 0,
    endedAtMs: undefined,
    outcome: 'unfinished',
    failure: undefined,
    planned,
    ops: [...progress(all.slice(0, at)), { name, state: 'intent' }],
  }
}

function progress(done: readonly string[]): OpProgress[] {
  return done.map(name => ({ name, state: 'done' }))
}
