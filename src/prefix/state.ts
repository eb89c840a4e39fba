import { ReleaseError } from '../core/error.ts'
import { compareVersions } from '../core/version.ts'
import type { ChangeCommand, JournaledOp, JournalRecord } from './journal-record.ts'

/**
 * Where a release of a prefix is in its life: being staged, whole on disk, active, active before, or blamed for a failed installation
 * (and then chosen again only by name).
 */
export type ReleaseStatus = 'staged' | 'complete' | 'active' | 'retired' | 'failed'

/** A release as the journal knows it. Units: `installedAtMs` in milliseconds since 1970. */
export interface InstalledRelease {
  readonly version: string
  readonly recordDigest: string
  readonly installedAtMs: number
  readonly status: ReleaseStatus
}

/** How far an operation of a transaction came. */
export interface OpProgress {
  readonly name: string
  readonly state: 'intent' | 'done' | 'undone'
}

/** Why a transaction went back. */
export interface Failure {
  readonly code: string
  readonly reason: string
}

/** One installation, rollback or contract of the data. Units: milliseconds since 1970. */
export interface Transaction {
  readonly txn: number
  readonly command: ChangeCommand
  readonly version: string
  readonly from: string | undefined
  readonly recordDigest: string
  readonly by: string
  readonly beganAtMs: number
  readonly endedAtMs: number | undefined
  readonly outcome: 'unfinished' | 'committed' | 'aborted'
  /** Set once it was decided to go back. */
  readonly failure: Failure | undefined
  /** All operations, in order. */
  readonly planned: readonly JournaledOp[]
  /** Those that were begun, in order. */
  readonly ops: readonly OpProgress[]
}

/** What a journal comes to. */
export interface PrefixState {
  /** In the order in which they were last installed. */
  readonly releases: ReadonlyMap<string, InstalledRelease>
  /** The version that `current` points to. */
  readonly active: string | undefined
  /** The versions that were made active one after the other, those rolled back from left out; the last is `active`. */
  readonly activations: readonly string[]
  readonly unfinished: Transaction | undefined
  /** The lowest version that can run on the data as it is. */
  readonly rollbackFloor: string | undefined
  /** The highest epoch that any version may have written the data in; undefined where no recipe has said so. */
  readonly stateEpoch: number | undefined
  /** The migrations that have run, each with the version that it came with: see {@link migrationKey}. */
  readonly migrations: ReadonlySet<string>
  /** Versions that are chosen by name only: they failed, or were rolled back from. */
  readonly avoided: ReadonlySet<string>
  /** Versions whose folders may be removed, or may still have to be. */
  readonly pruned: ReadonlySet<string>
  readonly transactions: readonly Transaction[]
}

/** The errors that are a release's own fault, not that of the machine or the network. */
const blamingCodes: ReadonlySet<string> = new Set(['INSTALL_UNHEALTHY', 'SETUP_FAILED', 'MIGRATION_FAILED'])

/** The operations that let requests through to the version. */
const letsThrough: ReadonlySet<string> = new Set(['pass', 'canary', 'promote'])

/** The operation that copies the data at rest, before anything inside the hold changes it. */
export const backupOp = 'backup'

/** Name the operation that runs a migration. */
export const migrationOp = (migration: string): string => `migrate:${migration}`

/** The migration that an operation runs, or undefined when it does something else. */
export const migrationOf = (op: string): string | undefined => /^migrate:(.*)$/.exec(op)?.[1]

/**
 * Work out the state of a prefix from its journal.
 *
 * Pure: the same records give the same state. Errors: JOURNAL_SEQUENCE when a record cannot follow the ones before it.
 */
export function replay(records: readonly JournalRecord[]): PrefixState {
  const replayed = new Replay()
  for (const record of records) replayed.take(record)
  return replayed.state()
}

/** A migration of a version: each version's runs once, so that a migration which stays in the recipe runs for every release. */
export const migrationKey = (migration: string, version: string): string => `${migration}@${version}`

/** The version that a rollback goes back to, or undefined when there is none. */
export function previousVersion(state: PrefixState): string | undefined {
  return state.activations.findLast(version => version !== state.active && isUsable(state, version))
}

/** Tell whether the prefix has a release that can be made active as it is. */
export function isUsable(state: PrefixState, version: string): boolean {
  const status = state.releases.get(version)?.status
  return status === 'complete' || status === 'retired' || status === 'active'
}

interface Draft {
  readonly begin: JournalRecord & { readonly kind: 'begin' }
  ops: readonly OpProgress[]
  failure: Failure | undefined
  /** What was known of the data when it was copied. */
  backedUp: DataState | undefined
}

interface DataState {
  readonly migrations: ReadonlySet<string>
  readonly rollbackFloor: string | undefined
}

class Replay {
  readonly #releases = new Map<string, InstalledRelease>()
  #migrations: ReadonlySet<string> = new Set()
  #stateEpoch: number | undefined
  readonly #avoided = new Set<string>()
  readonly #pruned = new Set<string>()
  readonly #transactions: Transaction[] = []
  #activations: string[] = []
  #active: string | undefined
  #rollbackFloor: string | undefined
  #draft: Draft | undefined

  state(): PrefixState {
    const unfinished = this.#draft === undefined ? undefined : transactionOf(this.#draft)
    return {
      releases: this.#releases,
      active: this.#active,
      activations: this.#activations,
      unfinished,
      rollbackFloor: this.#rollbackFloor,
      stateEpoch: this.#stateEpoch,
      migrations: this.#migrations,
      avoided: this.#avoided,
      pruned: this.#pruned,
      transactions: unfinished === undefined ? this.#transactions : [...this.#transactions, unfinished],
    }
  }

  take(record: JournalRecord): void {
    switch (record.kind) {
      case 'begin':
        this.#begin(record)
        break
      case 'prune':
        this.#prune(record)
        break
      default:
        this.#takeInside(record)
    }
  }

  #takeInside(record: Exclude<JournalRecord, { readonly kind: 'begin' | 'prune' }>): void {
    const draft = this.#draft
    if (draft === undefined || draft.begin.txn !== record.txn) throw misplaced(record, 'outside of its transaction')
    switch (record.kind) {
      case 'intent':
        draft.ops = [...draft.ops.filter(op => op.name !== record.op), { name: record.op, state: 'intent' }]
        if (letsThrough.has(record.op)) this.#raiseEpoch(draft)
        break
      case 'done':
        setProgress(draft, record)
        this.#done(draft, record.op)
        break
      case 'undo':
        draft.failure = { code: record.code, reason: record.reason }
        break
      case 'undone':
        setProgress(draft, record)
        this.#undone(draft, record.op)
        break
      case 'commit':
        this.#commit(draft, record)
        break
      case 'abort':
        this.#abort(draft, record)
        break
    }
  }

  #begin(record: JournalRecord & { readonly kind: 'begin' }): void {
    if (this.#draft !== undefined) throw misplaced(record, 'inside another transaction')
    this.#draft = { begin: record, ops: [], failure: undefined, backedUp: undefined }
    this.#pruned.delete(record.version)
    const { version, recordDigest } = record
    const status = this.#releases.get(version)?.status ?? 'staged'
    if (status !== 'staged' && status !== 'failed') return
    // At the end: releases are in the order in which they were last installed.
    this.#releases.delete(version)
    this.#releases.set(version, { version, recordDigest, installedAtMs: record.at, status })
  }

  #done(draft: Draft, op: string): void {
    const { version, from, ops } = draft.begin
    if (op === 'verify') this.#setStatus(version, 'complete')
    if (op === 'switch') this.#activate(version, from)
    if (op === backupOp) draft.backedUp = { migrations: this.#migrations, rollbackFloor: this.#rollbackFloor }
    const migration = migrationOf(op)
    if (migration === undefined) return
    this.#migrations = new Set([...this.#migrations, migrationKey(migration, version)])
    const planned = ops.find(each => each.name === op)
    const raisesFloor = planned?.undo === 'forward-only' || planned?.raisesFloor === true
    if (raisesFloor && compareVersions(version, this.#rollbackFloor ?? version) >= 0) this.#rollbackFloor = version
  }

  #undone(draft: Draft, op: string): void {
    const { version, from } = draft.begin
    if (op === 'stage') this.#releases.delete(version)
    if (op === 'switch') this.#activate(from, version)
    if (op === backupOp && draft.backedUp !== undefined) {
      this.#migrations = draft.backedUp.migrations
      this.#rollbackFloor = draft.backedUp.rollbackFloor
    }
  }

  /** From when requests reach a version on, there may be data that it has written. */
  #raiseEpoch({ begin }: Draft): void {
    const writes = begin.stateFormat?.writes
    if (writes !== undefined) this.#stateEpoch = Math.max(writes, this.#stateEpoch ?? writes)
  }

  #commit(draft: Draft, record: JournalRecord & { readonly kind: 'commit' }): void {
    const { version, command } = draft.begin
    if (record.version !== version || this.#active !== version)
      throw misplaced(record, 'for a version that is not active')
    if (command !== 'migrate') this.#activated(draft)
    this.#end(draft, record, 'committed')
  }

  #activated(draft: Draft): void {
    const { version, from, command } = draft.begin
    this.#raiseEpoch(draft)
    this.#avoided.delete(version)
    if (command === 'rollback' && from !== undefined) this.#avoided.add(from)
    const last = command === 'rollback' ? this.#activations.lastIndexOf(version) : -1
    this.#activations = last < 0 ? [...this.#activations, version] : this.#activations.slice(0, last + 1)
  }

  #abort(draft: Draft, record: JournalRecord & { readonly kind: 'abort' }): void {
    const { version, recordDigest, at, command } = draft.begin
    draft.failure ??= { code: record.code, reason: record.reason }
    if (command === 'install' && blamingCodes.has(record.code)) {
      this.#avoided.add(version)
      if (this.#active !== version) {
        this.#releases.set(version, { version, recordDigest, installedAtMs: at, status: 'failed' })
      }
    }
    if (this.#active === version && command !== 'migrate') {
      this.#raiseEpoch(draft)
      if (this.#activations.at(-1) !== version) this.#activations.push(version)
    }
    this.#end(draft, record, 'aborted')
  }

  #end(draft: Draft, record: JournalRecord, outcome: 'committed' | 'aborted'): void {
    this.#transactions.push({ ...transactionOf(draft), outcome, endedAtMs: record.at })
    this.#draft = undefined
  }

  #prune(record: JournalRecord & { readonly kind: 'prune' }): void {
    if (this.#draft !== undefined) throw misplaced(record, 'inside a transaction')
    for (const version of record.versions) {
      if (version === this.#active) throw misplaced(record, 'for the active version')
      this.#releases.delete(version)
      this.#pruned.add(version)
    }
    this.#activations = this.#activations.filter(version => !record.versions.includes(version))
  }

  #activate(version: string | undefined, other: string | undefined): void {
    this.#active = version
    if (other !== undefined) this.#setStatus(other, other === this.#activations.at(-1) ? 'retired' : 'complete')
    if (version !== undefined) this.#setStatus(version, 'active')
  }

  #setStatus(version: string, status: ReleaseStatus): void {
    const known = this.#releases.get(version)
    if (known !== undefined) this.#releases.set(version, { ...known, status })
  }
}

function setProgress(draft: Draft, record: JournalRecord & { readonly kind: 'done' | 'undone' }): void {
  if (!draft.ops.some(op => op.name === record.op)) throw misplaced(record, `without the intent of ${record.op}`)
  draft.ops = draft.ops.map(op => (op.name === record.op ? { name: op.name, state: record.kind } : op))
}

function transactionOf(draft: Draft): Transaction {
  const { begin, ops, failure } = draft
  return {
    txn: begin.txn,
    command: begin.command,
    version: begin.version,
    from: begin.from,
    recordDigest: begin.recordDigest,
    by: begin.by,
    beganAtMs: begin.at,
    endedAtMs: undefined,
    outcome: 'unfinished',
    failure,
    planned: begin.ops,
    ops,
  }
}

function misplaced(record: JournalRecord, where: string): ReleaseError {
  return new ReleaseError('JOURNAL_SEQUENCE', `record ${record.seq} (${record.kind}) stands ${where}`, {
    details: { seq: record.seq, txn: record.txn },
  })
}
