import { ReleaseError } from '../core/error.ts'
import { readInstalledRecipe } from '../prefix/installed.ts'
import { pendingContracts, planContract } from '../prefix/plan.ts'
import { migrationKey, type PrefixState } from '../prefix/state.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import { runChange } from './change.ts'
import { assertSound } from './install-target.ts'
import { type LockedPrefix, lockPrefix } from './locked-prefix.ts'
import { recoverPrefix } from './recover.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover migrate` is asked for. */
export interface MigrateOptions {
  readonly prefix: string
  readonly waitLockMs: number
  /** Asked before contracts are run; absent, migrations are listed only. Resolves to whether they may be. */
  readonly confirmContract?: ((pending: ContractQuestion) => Promise<boolean>) | undefined
}

/** What is to be confirmed before data is contracted. */
export interface ContractQuestion {
  readonly application: string
  readonly version: string
  readonly migrations: readonly string[]
}

/** A migration of the active version. */
export interface MigrationStatus {
  readonly name: string
  readonly phase: 'expand' | 'short' | 'contract'
  readonly state: 'done' | 'pending'
}

/** What `cutover migrate` tells; the `result` of its last event. */
export interface MigrateResult {
  readonly application: string
  readonly version: string | undefined
  /** Those that were run now. */
  readonly contracted: readonly string[]
  readonly migrations: readonly MigrationStatus[]
  readonly rollbackFloor: string | undefined
}

/**
 * List the migrations of the active version, or run those that contract its data.
 *
 * Contracts take away what the versions before need, while the active one serves: a transaction of its own, behind which there is no way
 * back. Post: the rollback floor is the active version. Errors: those of taking the lock and recovering, PREFIX_DAMAGED,
 * CONTRACT_UNSETTLED, CONTRACT_UNCONFIRMED, MIGRATION_FAILED. Crash: the next command finishes what was begun.
 */
export async function migrate(options: MigrateOptions, tools: FlowTools): Promise<MigrateResult> {
  const startedMs = tools.clock.elapsedMs()
  await using prefix = await lockPrefix({ ...options, command: 'migrate' }, tools)
  const { application } = prefix.identity
  tools.emit({ kind: 'run-started', command: 'migrate', subject: application, steps: [] })
  const confirm = options.confirmContract
  if (confirm !== undefined) await recoverPrefix(prefix, tools)
  assertSound(prefix.paths, prefix.state())
  const contracted = confirm === undefined ? [] : await contract(prefix, confirm, tools)
  const result = resultOf(prefix, contracted)
  if (confirm === undefined) tellMigrations(result, tools)
  const durationMs = tools.clock.elapsedMs() - startedMs
  const message = headline(result, confirm !== undefined)
  tools.emit({ kind: 'run-done', command: 'migrate', changed: contracted.length > 0, durationMs, message, result })
  return result
}

/** Run what is pending. Post: the names of what ran; none when there was nothing to do. */
async function contract(
  prefix: LockedPrefix,
  confirm: (pending: ContractQuestion) => Promise<boolean>,
  tools: FlowTools,
): Promise<readonly string[]> {
  const state = prefix.state()
  const version = state.active
  const { application } = prefix.identity
  if (version === undefined) return []
  const recipe = readInstalledRecipe(prefix.paths, version)
  const names = pendingContracts(version, recipe.node.migrations, state.migrations)
  if (names.length === 0) return []
  assertSettled(state, version)
  if (!(await confirm({ application, version, migrations: names }))) throw unconfirmed(version, names)
  await runContracts(prefix, { version, names, recipe }, tools)
  return names
}

async function runContracts(
  prefix: LockedPrefix,
  active: { readonly version: string; readonly names: readonly string[]; readonly recipe: InstalledRecipe },
  tools: FlowTools,
): Promise<void> {
  const { version, names, recipe } = active
  const { recordDigest } = prefix.state().releases.get(version)!
  const change = { command: 'migrate', version, from: version, recordDigest, recipe: () => recipe } as const
  const plan = planContract(names, recipe.node.backup !== undefined)
  await runChange(prefix, plan, { ...change, origin: undefined }, tools)
}

/** A version whose watch has failed, and which only stays because there is no way back, is not to make that worse. */
function assertSettled(state: PrefixState, version: string): void {
  if (!state.avoided.has(version)) return
  throw new ReleaseError('CONTRACT_UNSETTLED', `${version} is active although its installation failed`, {
    hint: `cutover why --version ${version} tells more; install a version that works, then contract`,
    details: { version },
  })
}

function unconfirmed(version: string, names: readonly string[]): ReleaseError {
  return new ReleaseError(
    'CONTRACT_UNCONFIRMED',
    `${names.join(', ')} of ${version} was not confirmed: behind it no version before ${version} can run on the data`,
    { details: { version, migrations: names } },
  )
}

function resultOf(prefix: LockedPrefix, contracted: readonly string[]): MigrateResult {
  const { active, migrations, rollbackFloor } = prefix.state()
  const all = active === undefined ? [] : readInstalledRecipe(prefix.paths, active).node.migrations
  return {
    application: prefix.identity.application,
    version: active,
    contracted,
    migrations: all.map(({ name, phase }) => ({
      name,
      phase,
      state: migrations.has(migrationKey(name, active!)) ? 'done' : 'pending',
    })),
    rollbackFloor,
  }
}

function tellMigrations({ application, version, migrations }: MigrateResult, tools: FlowTools): void {
  if (migrations.length === 0) return
  tools.emit({
    kind: 'table',
    title: `migrations of ${application} ${version}`,
    columns: ['migration', 'phase', 'state'],
    rows: migrations.map(({ name, phase, state }) => [name, phase, state]),
  })
}

function headline(result: MigrateResult, wasAsked: boolean): string {
  const { application, version, contracted, migrations } = result
  if (version === undefined) return `no version of ${application} is active`
  if (contracted.length > 0) return `contracted the data for ${version}: ${contracted.join(', ')}`
  const pending = migrations.filter(({ phase, state }) => phase === 'contract' && state === 'pending')
  if (wasAsked || pending.length === 0) return `nothing of ${application} ${version} is left to contract`
  return `${pending.length} of ${application} ${version} to contract, by cutover migrate --contract`
}
