import { describe, expect, it } from 'vitest'
import { journaledOps, type PlanInput, planChange, planRecovery, undoOrder } from '../../../src/prefix/plan.ts'
import { migrationKey, type OpProgress, type Transaction } from '../../../src/prefix/state.ts'

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

describe('the order of an installation', () => {
  it('has everything long before the hold, and only the swap inside', () => {
    expect(names(planChange(input)).join(' ')).toBe(
      'stage fetch setup verify share migrate:add hold drain stop migrate:drop switch start probe pass watch',
    )
  })

  it('leaves the gate alone when nothing serves', () => {
    const plan = planChange({ ...input, isServing: false })
    expect(names(plan).join(' ')).toBe('stage fetch setup verify share migrate:add migrate:drop switch')
    expect(plan.skipped).toContainEqual(expect.objectContaining({ name: 'hold', code: 'NOT_SERVING' }))
  })

  it('stages nothing twice and runs no migration twice', () => {
    const migrationsDone = new Set([migrationKey('add', '1.1.0'), migrationKey('drop', '1.0.0')])
    const plan = planChange({ ...input, isComplete: true, migrationsDone })
    expect(names(plan).join(' ')).toBe('share hold drain stop migrate:drop switch start probe pass watch')
    expect(plan.skipped).toContainEqual(expect.objectContaining({ name: 'migrate:add', code: 'MIGRATION_DONE' }))
  })

  it('stops nothing when nothing ran', () => {
    expect(names(planChange({ ...input, from: undefined, migrations: [] })).join(' ')).toBe(
      'stage fetch setup verify share hold switch start probe pass watch',
    )
  })

  it('runs no migration in a rollback', () => {
    expect(names(planChange({ ...input, command: 'rollback', isComplete: true })).join(' ')).toBe(
      'share hold drain stop switch start probe pass watch',
    )
  })
})

describe('recovery', () => {
  const serves = { version: '1.0.0' }

  it('undoes what did not get to the switch', () => {
    expect(planRecovery(interruptedAt('stop'), { serves })).toEqual({ kind: 'undo' })
    expect(planRecovery(interruptedAt('switch'), { serves })).toEqual({ kind: 'undo' })
  })

  it('finishes what was switched: without a new hold where the new version runs, with one where it does not', () => {
    const finish = (version: string | undefined) => planRecovery(interruptedAt('start'), { serves: { version } })
    expect(opsOf(finish('1.1.0'))).toBe('probe pass watch')
    expect(opsOf(finish('1.0.0'))).toBe('hold drain stop start probe pass watch')
    expect(opsOf(finish(undefined))).toBe('hold drain stop start probe pass watch')
  })

  it('finishes what only had to be let through', () => {
    expect(opsOf(planRecovery(interruptedAt('pass'), { serves: { version: '1.1.0' } }))).toBe('pass watch')
    expect(opsOf(planRecovery(interruptedAt('watch'), { serves: 'idle' }))).toBe('')
  })

  it('does not believe in a version that was never healthy when nobody can be asked', () => {
    expect(planRecovery(interruptedAt('probe'), { serves: 'idle' })).toEqual({ kind: 'undo' })
  })

  it('finishes without asking where nothing served from the beginning', () => {
    const idle = planChange({ ...input, isServing: false, migrations: [] }).ops
    const transaction = { ...interruptedAt('switch'), planned: idle, ops: progress(idle.map(op => op.name)) }
    expect(opsOf(planRecovery(transaction, { serves: 'idle' }))).toBe('')
  })

  it('goes on with an undoing that was begun', () => {
    const failure = { code: 'INSTALL_UNHEALTHY', reason: 'status 500' }
    expect(planRecovery({ ...interruptedAt('pass'), failure }, { serves })).toEqual({ kind: 'undo' })
  })

  it('never goes back past a forward-only migration, nor past one that nobody saw the end of', () => {
    const migrations = input.migrations
    for (const [last, rest] of [
      ['switch', 'hold drain stop switch start probe pass watch'],
      ['migrate:drop', 'hold drain stop migrate:drop switch start probe pass watch'],
    ] as const) {
      const plan = planRecovery(interruptedAt(last, migrations), { serves })
      expect(opsOf(plan)).toBe(rest)
    }
    const failure = { code: 'MIGRATION_FAILED', reason: 'exit code 1' }
    expect(planRecovery({ ...interruptedAt('migrate:drop', migrations), failure }, { serves })).toEqual({
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

  it('leaves operations of a later version of this tool alone', () => {
    const planned = [{ name: 'teleport', undo: 'exact' as const }]
    expect(journaledOps({ ...interruptedAt('stop'), planned })).toEqual([])
  })
})

function opsOf(plan: ReturnType<typeof planRecovery>): string {
  return plan.kind === 'finish' ? names(plan).join(' ') : plan.kind
}

/** A transaction that was killed inside an operation. */
function interruptedAt(name: string, migrations: PlanInput['migrations'] = []): Transaction {
  const planned = planChange({ ...input, migrations }).ops
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
