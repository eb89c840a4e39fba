import { describe, expect, it } from 'vitest'
import { type PlanInput, pendingContracts, planChange, planContract, plannedData } from '../../../src/prefix/plan.ts'
import { migrationKey } from '../../../src/prefix/state.ts'

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
