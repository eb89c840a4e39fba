import { describe, expect, it } from 'vitest'
import {
  isDataUnsettled,
  journaledOps,
  type PlanInput,
  pendingContracts,
  planChange,
  planContract,
  plannedData,
  planRecovery,
  undoOrder,
} from '../../../src/prefix/plan.ts'
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

  it('tells clients to stay away before the hold, where the recipe wants that', () => {
    const softens = { ...input, softens: true }
    expect(names(planChange(softens)).join(' ')).toContain('share migrate:add soften hold drain')
    expect(names(planChange({ ...softens, command: 'rollback', isComplete: true }))).not.toContain('soften')
    const skipped = (plan: ReturnType<typeof planChange>) => plan.skipped.find(({ name }) => name === 'soften')?.code
    expect(skipped(planChange({ ...softens, isServing: false }))).toBe('NOT_SERVING')
    expect(skipped(planChange({ ...softens, from: undefined, migrations: [] }))).toBe('NOTHING_RUNS')
  })

  it('runs no migration in a rollback, and watches nothing that was watched before', () => {
    expect(names(planChange({ ...input, command: 'rollback', isComplete: true })).join(' ')).toBe(
      'share hold drain stop switch start probe pass',
    )
  })
})

describe('two versions side by side', () => {
  const overlap = {}
  const beside = { ...input, migrations: input.migrations.slice(0, 1), overlap }
  const obstacle = (more: Partial<PlanInput>) =>
    planChange({ ...beside, ...more }).skipped.find(({ name }) => name === 'start-beside')?.code

  it('are what an upgrade is made of where the recipe wants it: nothing is held, and the old one goes last', () => {
    const plan = planChange(beside)
    expect(names(plan).join(' ')).toBe(
      'stage fetch setup verify share migrate:add start-beside probe canary switch promote watch retire',
    )
    expect(plan.skipped).toContainEqual(expect.objectContaining({ name: 'hold', code: 'SIDE_BY_SIDE' }))
    const withoutCanary = { code: 'CANARY_UNWANTED', reason: 'nobody wants it' }
    expect(names(planChange({ ...beside, overlap: { withoutCanary } })).join(' ')).toContain('probe switch promote')
    expect(planChange({ ...beside, overlap: undefined }).skipped.map(({ name }) => name)).not.toContain('start-beside')
  })

  it('are not where the data is in the way, and the plan says why', () => {
    expect(obstacle({})).toBeUndefined()
    expect(obstacle({ migrations: input.migrations })).toBe('DATA_AT_REST')
    expect(obstacle({ backup: { when: 'always', canRestore: false } })).toBe('DATA_AT_REST')
    const growing = [{ name: 'grow', phase: 'expand', rollback: 'forward-only' }] as const
    for (const incompatible of [{ migrations: growing }, { outgrowsActive: true }, { rollbackFloor: '1.1.0' }])
      expect(obstacle(incompatible)).toBe('DATA_INCOMPATIBLE')
    const done = new Set([migrationKey('drop', '1.1.0')])
    expect(obstacle({ migrations: input.migrations, migrationsDone: done })).toBeUndefined()
  })

  it('are not where nothing runs or nobody can do it: then requests are held', () => {
    const unable = { obstacle: { code: 'OVERLAP_UNSUPPORTED', reason: 'one at a time' } }
    expect(obstacle({ overlap: unable })).toBe('OVERLAP_UNSUPPORTED')
    expect(obstacle({ from: undefined })).toBe('NOTHING_RUNS')
    expect(obstacle({ isServing: false })).toBe('NOT_SERVING')
    expect(names(planChange({ ...beside, overlap: unable })).join(' ')).toContain('hold drain stop switch start')
  })

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

describe('what changes the data', () => {
  const backup = { when: 'forward-only', canRestore: true } as const
  const undoOf = (plan: ReturnType<typeof planChange>, name: string) => plan.ops.find(op => op.name === name)?.undo
  const expanding = { name: 'grow', phase: 'expand', rollback: 'forward-only' } as const

  it('is copied while nothing runs, and can then be taken back until requests are let through', () => {
    const plan = planChange({ ...input, backup })
    expect(names(plan).join(' ')).toContain('stop backup migrate:drop switch start probe pass')
    expect(plan.ops.map(op => op.undo === 'forward-only' && op.name).filter(Boolean)).toEqual(['pass'])
    expect(undoOf(plan, 'backup')).toBe('exact')
    expect(plan.ops.find(op => op.name === 'migrate:drop')).toMatchObject({ undo: 'none', raisesFloor: true })
  })

  it('cannot be taken back by a backup that nobody can restore', () => {
    const plan = planChange({ ...input, backup: { when: 'forward-only', canRestore: false } })
    expect([undoOf(plan, 'backup'), undoOf(plan, 'migrate:drop'), undoOf(plan, 'pass')]).toEqual([
      'none',
      'forward-only',
      'exact',
    ])
  })

  it('is copied beside the running version before it is expanded for good, but never put back over what that writes', () => {
    const plan = planChange({ ...input, migrations: [expanding], backup })
    expect(names(plan).join(' ')).toContain('share backup:expand migrate:grow hold')
    expect([undoOf(plan, 'backup:expand'), undoOf(plan, 'migrate:grow'), undoOf(plan, 'pass')]).toEqual([
      'none',
      'none',
      'forward-only',
    ])
  })

  it('is not copied without need, unless the recipe says always', () => {
    const harmless = { ...input, migrations: input.migrations.slice(0, 1) }
    expect(planChange({ ...harmless, backup }).skipped).toContainEqual(
      expect.objectContaining({ name: 'backup', code: 'DATA_COMPATIBLE' }),
    )
    const always = planChange({ ...harmless, backup: { ...backup, when: 'always' } })
    expect([undoOf(always, 'backup'), undoOf(always, 'pass')]).toEqual(['none', 'exact'])
    expect(names(planChange({ ...harmless, backup, command: 'rollback' }))).not.toContain('backup')
    expect(names(planChange({ ...input, backup, from: undefined }))).not.toContain('backup')
  })

  it('is out of reach of the version before once the new one writes what that cannot read', () => {
    const jump = { ...input, migrations: [], outgrowsActive: true }
    expect(undoOf(planChange(jump), 'pass')).toBe('forward-only')
    expect(names(planChange({ ...jump, backup })).join(' ')).toContain('stop backup switch start')
    const below = { ...input, migrations: [], rollbackFloor: '1.1.0' }
    expect(undoOf(planChange(below), 'pass')).toBe('forward-only')
  })

  it('is contracted by no installation, but by an operation of its own', () => {
    const drop = { name: 'drop', phase: 'contract', rollback: 'compatible' } as const
    expect(names(planChange({ ...input, migrations: [drop] })).join(' ')).not.toContain('drop')
    expect(pendingContracts('1.1.0', [drop, expanding], new Set())).toEqual(['drop'])
    expect(pendingContracts('1.1.0', [drop], new Set([migrationKey('drop', '1.1.0')]))).toEqual([])
    expect(planContract(['drop'], true).ops.map(op => `${op.name} ${op.undo}`)).toEqual([
      'backup:contract none',
      'migrate:drop forward-only',
    ])
  })

  it('is known to a plan from the recipes of both versions', () => {
    const state = (...reads: number[]) => ({ reads, writes: reads.at(-1)! })
    const node = { migrations: [], restore: undefined, backup: undefined }
    const outgrows = (next: number[], active: number[]) =>
      plannedData({ ...node, state: state(...next) }, { ...node, state: state(...active) }).outgrowsActive
    expect(outgrows([1, 2], [1])).toBe(true)
    expect(outgrows([1, 2], [1, 2])).toBe(false)
    expect(plannedData({ ...node, state: state(2) }, undefined).outgrowsActive).toBe(false)
  })
})

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
