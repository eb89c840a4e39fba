import type { Metadata, Root } from '@tufjs/models'
import { type Digest, digestOf } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import { metadataFolder, targetKey } from '../../trust/layout.ts'
import type { TargetReader } from '../target.ts'
import {
  type Authority,
  assertSigned,
  delegatedAuthority,
  isSigned,
  rootAuthority,
  type TopLevelRole,
} from './authority.ts'
import { type Delegations, type MetaEntry, parseSigned, type SignedFile, type TargetsFile } from './format.ts'
import { walkRoots } from './root-chain.ts'

/** What a repository's metadata says now, verified. Version 0 stands for a file that was never made. */
export interface TufState {
  /** The newest root of the chain that begins with the publisher's. */
  readonly root: Metadata<Root>
  readonly rootBytes: Buffer
  /** The newest root is there, and something that it wants signed by other keys is not yet: its publication was killed. */
  readonly isRootAhead: boolean
  /** `digest` is that of timestamp.json: who publishes next compares it. */
  readonly timestamp: RoleDates & { readonly digest: Digest | undefined }
  readonly snapshot: RoleDates & { readonly meta: Readonly<Record<string, MetaEntry>> }
  /** `targets` are those of the top-level role. `file` is absent before the first. */
  readonly targets: RoleState & {
    readonly delegations: Delegations
    readonly file: SignedFile<TargetsFile> | undefined
  }
}

/** Which version of a role is current, and until when it is believed. */
export interface RoleDates {
  readonly version: number
  /** Milliseconds since 1970; 0 before the first version. */
  readonly expiresMs: number
}

/** The targets that a role signs for. */
export interface RoleState extends RoleDates {
  readonly targets: ReadonlyMap<string, TargetInfo>
}

/** What is signed of a target. */
export interface TargetInfo {
  readonly sizeBytes: number
  readonly digest: Digest
}

const maxMetadataBytes = 64 * 1024 * 1024

/** The key of timestamp.json: the one file that makes everything else current. */
export const timestampKey = `${metadataFolder}/timestamp.json`

/** The name that the ledger has among the files of a snapshot, and with the snapshot's number in its key. */
export const ledgerName = 'ledger'

/** The key of one version of a role's metadata. Source: TUF §6.2 (consistent snapshots). */
export function metadataKey(role: string, version: number): string {
  return `${metadataFolder}/${version}.${role}.json`
}

/**
 * Read and verify a repository's metadata as its publisher: signatures, hashes and versions count, dates do not, for an
 * expired repository is mended by publishing. Reads the roots after `rootText`, timestamp, snapshot and the top-level targets; roles of
 * applications and the ledger are read when asked for.
 *
 * A publication that was killed behind its new root left files that the keys before it signed. They count while `rootText` is not the new
 * root: clients refuse them, and only who publishes next can mend that. Whoever could forge them by keys that were revoked could hide the
 * new root just as well.
 *
 * Post: `rootBytes` is what the publisher should trust from now on.
 * Errors: TRUST_SIGNATURE, TRUST_MISMATCH, TRUST_ROLLBACK, TRUST_METADATA, REPOSITORY_DAMAGED (a file is missing).
 */
export async function readTufState(target: TargetReader, rootText: string): Promise<TufState> {
  const chain = await walkRoots(target, Buffer.from(rootText))
  const { newest: root, bytes: rootBytes } = chain
  let isRootAhead = false
  const authorityFor = (file: SignedFile<unknown>, role: TopLevelRole): Authority => {
    const newest = rootAuthority(root, role)
    if (isSigned(file, newest)) return newest
    const former = chain.older.map(older => rootAuthority(older, role)).find(authority => isSigned(file, authority))
    isRootAhead ||= former !== undefined
    return former ?? newest
  }
  const timestampBytes = await target.get(timestampKey, maxMetadataBytes)
  if (timestampBytes === undefined) return { ...emptyTufState(root), rootBytes }
  const timestamp = parseSigned(timestampBytes, 'timestamp', timestampKey)
  assertSigned(timestamp, authorityFor(timestamp, 'timestamp'), timestampKey)
  const snapshotMeta = entryOf(timestamp.signed.meta, 'snapshot')
  const snapshotKey = metadataKey('snapshot', snapshotMeta.version)
  const snapshot = parseSigned(await readMeta(target, 'snapshot', snapshotMeta), 'snapshot', snapshotKey)
  assertSigned(snapshot, authorityFor(snapshot, 'snapshot'), snapshotKey)
  assertVersion(snapshot.signed.version, snapshotMeta.version, snapshotKey)
  const { meta } = snapshot.signed
  const targets = await readTargets(target, meta, 'targets', file => authorityFor(file, 'targets'))
  return {
    root,
    rootBytes,
    isRootAhead,
    timestamp: { ...datesOf(timestamp.signed), digest: digestOf(timestampBytes) },
    snapshot: { ...datesOf(snapshot.signed), meta },
    targets: { ...roleState(targets.signed), delegations: targets.signed.delegations ?? noDelegations, file: targets },
  }
}

/** The state of a repository that has a root and nothing else. */
export function emptyTufState(root: Metadata<Root>): TufState {
  return {
    root,
    rootBytes: Buffer.from(JSON.stringify(root.toJSON())),
    isRootAhead: false,
    timestamp: { version: 0, expiresMs: 0, digest: undefined },
    snapshot: { version: 0, expiresMs: 0, meta: {} },
    targets: { ...noRole, delegations: noDelegations, file: undefined },
  }
}

/** Read the metadata of a delegated role; an empty state when it has none yet. Errors: those of {@link readTufState}. */
export async function readRole(target: TargetReader, state: TufState, role: string): Promise<RoleState> {
  const authority = delegatedAuthority(state.targets.delegations, role)
  if (authority === undefined || state.snapshot.meta[`${role}.json`] === undefined) return noRole
  return roleState((await readTargets(target, state.snapshot.meta, role, () => authority)).signed)
}

/** Read a target and verify it; undefined when the role does not list it. Errors: REPOSITORY_DAMAGED. */
export async function readTarget(
  target: TargetReader,
  role: RoleState,
  path: string,
  maxBytes = maxMetadataBytes,
): Promise<Buffer | undefined> {
  const info = role.targets.get(path)
  if (info === undefined) return undefined
  const key = targetKey(path, info.digest)
  if (info.sizeBytes > maxBytes)
    throw damaged(target, key, `${info.sizeBytes} bytes long, at most ${maxBytes} are read`)
  return await readExpected(target, key, info)
}

/** Read the bytes of the ledger; undefined when the snapshot has none. Errors: REPOSITORY_DAMAGED. */
export async function readLedgerBytes(target: TargetReader, state: TufState): Promise<Buffer | undefined> {
  const meta = state.snapshot.meta[`${ledgerName}.json`]
  return meta === undefined ? undefined : await readMeta(target, ledgerName, meta)
}

/**
 * Find the next number of a role's file that is free in a target.
 *
 * An upload that was killed leaves numbers behind that no snapshot names, and a number is never used twice for other bytes.
 */
export function freeVersions(target: TargetReader): NextVersion {
  return async (names, current) => {
    let version = current + 1
    for (;;) {
      const found = await Promise.all(names.map(name => target.head(metadataKey(name, version))))
      if (found.every(stored => stored === undefined)) return version
      version += 1
    }
  }
}

/** Choose the number that follows `current` for files that share it. */
export type NextVersion = (names: readonly string[], current: number) => Promise<number>

const noRole: RoleState = { version: 0, expiresMs: 0, targets: new Map() }
const noDelegations: Delegations = { keys: {}, roles: [] }

async function readTargets(
  target: TargetReader,
  meta: Readonly<Record<string, MetaEntry>>,
  role: string,
  authorityFor: (file: SignedFile<TargetsFile>) => Authority,
): Promise<SignedFile<TargetsFile>> {
  const expected = entryOf(meta, role)
  const key = metadataKey(role, expected.version)
  const file = parseSigned(await readMeta(target, role, expected), 'targets', key)
  assertSigned(file, authorityFor(file), key)
  assertVersion(file.signed.version, expected.version, key)
  return file
}

function entryOf(meta: Readonly<Record<string, MetaEntry>>, role: string): MetaEntry {
  const entry = meta[`${role}.json`]
  if (entry !== undefined) return entry
  throw new ReleaseError('TRUST_METADATA', `${role}.json is not listed`, { details: { role } })
}

async function readMeta(target: TargetReader, role: string, expected: MetaEntry): Promise<Buffer> {
  const key = metadataKey(role, expected.version)
  const bytes = await target.get(key, expected.length ?? maxMetadataBytes)
  if (bytes === undefined) throw damaged(target, key, 'missing')
  const sha256 = expected.hashes?.['sha256']
  const found = digestOf(bytes)
  if (sha256 === undefined || found === `sha256:${sha256}`) return bytes
  throw new ReleaseError('TRUST_MISMATCH', `${key} in ${target.name} is ${found}, expected sha256:${sha256}`, {
    details: { key },
  })
}

async function readExpected(target: TargetReader, key: string, info: TargetInfo): Promise<Buffer> {
  const bytes = await target.get(key, info.sizeBytes)
  if (bytes === undefined) throw damaged(target, key, 'missing')
  const found = digestOf(bytes)
  if (found !== info.digest) throw damaged(target, key, `${found}, expected ${info.digest}`)
  return bytes
}

function damaged(target: TargetReader, key: string, found: string): ReleaseError {
  return new ReleaseError('REPOSITORY_DAMAGED', `${key} in ${target.name} is ${found}`, { details: { key } })
}

function assertVersion(found: number, expected: number, key: string): void {
  if (found === expected) return
  throw new ReleaseError('TRUST_ROLLBACK', `${key} says that it is version ${found}, expected ${expected}`, {
    details: { key },
  })
}

/** What a file of targets says. */
export function roleState(signed: TargetsFile): RoleState {
  const targets = new Map<string, TargetInfo>()
  for (const [path, { length, hashes }] of Object.entries(signed.targets)) {
    targets.set(path, { sizeBytes: length, digest: `sha256:${hashes['sha256']!}` })
  }
  return { ...datesOf(signed), targets }
}

function datesOf(signed: { readonly version: number; readonly expires: string }): RoleDates {
  return { version: signed.version, expiresMs: Date.parse(signed.expires) }
}
