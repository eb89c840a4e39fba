import { Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp } from '@tufjs/models'
// The classes are not exported from the package's entrance.
import { Delegations } from '@tufjs/models/dist/delegations.js'
import { DelegatedRole } from '@tufjs/models/dist/role.js'
import { type Digest, digestOf, hexOf } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import { applicationPaths, applicationRole } from '../../trust/layout.ts'
import type { TufSigner } from './signer.ts'
import { metadataKey, type RoleState, type TufState, timestampKey } from './state.ts'

/** How long metadata is believed, in days, by role; `application` is each delegated role. */
export interface LifetimesDays {
  readonly root: number
  readonly targets: number
  readonly application: number
  readonly snapshot: number
  readonly timestamp: number
}

/** A year for what is signed by hand, a month for what every upload renews. */
export const defaultLifetimesDays: LifetimesDays = {
  root: 365,
  targets: 365,
  application: 365,
  snapshot: 30,
  timestamp: 30,
}

/** Who signs, when, for how long. `signer` throws when the key is not at hand, and is asked only for roles that change. */
export interface Signing {
  readonly signer: (role: string) => TufSigner
  readonly nowMs: number
  readonly lifetimesDays: LifetimesDays
}

/** A file of signed metadata, ready to be stored. */
export interface MetadataFile {
  readonly key: string
  readonly bytes: Buffer
}

/** A target to sign for. */
export interface NewTarget {
  readonly path: string
  readonly sizeBytes: number
  readonly digest: Digest
}

const specVersion = '1.0.34'
const topLevelRoles = ['root', 'targets', 'snapshot', 'timestamp'] as const

/** Make the first root, with one key per role. Source: TUF §4.3. */
export function firstRoot(signing: Signing): Buffer {
  const root = new Root({ version: 1, specVersion, expires: expiry(signing, 'root'), consistentSnapshot: true })
  for (const role of topLevelRoles) root.addKey(signing.signer(role).key, role)
  return signedBytes(new Metadata(root), signing.signer('root'))
}

/**
 * Make the metadata that follows `state` when each application in `changes` signs for more targets.
 *
 * Shape: targets (only when an application is new), the applications' roles, snapshot, and timestamp as the last entry.
 * Errors: KEY_MISSING (from the signer), KEY_MISMATCH. Source: TUF §4, §6.
 */
export function nextMetadata(
  state: TufState,
  changes: ReadonlyMap<string, readonly NewTarget[]>,
  signing: Signing,
): readonly MetadataFile[] {
  const files: MetadataFile[] = []
  const meta: Record<string, MetaFile> = { ...state.snapshot.meta }
  const add = (role: string, version: number, bytes: Buffer) => {
    files.push({ key: metadataKey(role, version), bytes })
    meta[`${role}.json`] = metaFile(version, bytes)
  }
  const unknown = [...changes.keys()].filter(name => !state.roles.has(applicationRole(name)))
  let delegations = state.targets.delegations
  if (unknown.length > 0 || state.targets.version === 0) {
    delegations = withDelegations(delegations, unknown, signing)
    const version = nextVersion(state, 'targets', state.targets.version)
    const targets = new Targets({ version, specVersion, expires: expiry(signing, 'targets'), delegations })
    add('targets', version, signedBytes(new Metadata(targets), authorised(state, 'targets', signing)))
  }
  for (const [application, added] of changes) {
    const role = applicationRole(application)
    const signer = delegated(delegations, role, signing)
    const before: RoleState = state.roles.get(role) ?? { version: 0, targets: {} }
    const version = nextVersion(state, role, before.version)
    const targets = { ...before.targets, ...Object.fromEntries(added.map(target => [target.path, targetFile(target)])) }
    const signed = new Targets({ version, specVersion, expires: expiry(signing, 'application'), targets })
    add(role, version, signedBytes(new Metadata(signed), signer))
  }
  const version = nextVersion(state, 'snapshot', state.snapshot.version)
  const snapshot = new Snapshot({ version, specVersion, expires: expiry(signing, 'snapshot'), meta })
  add('snapshot', version, signedBytes(new Metadata(snapshot), authorised(state, 'snapshot', signing)))
  const timestamp = new Timestamp({
    version: state.timestamp.version + 1,
    specVersion,
    expires: expiry(signing, 'timestamp'),
    snapshotMeta: meta['snapshot.json']!,
  })
  const bytes = signedBytes(new Metadata(timestamp), authorised(state, 'timestamp', signing))
  files.push({ key: timestampKey, bytes })
  return files
}

function withDelegations(before: Delegations | undefined, names: readonly string[], signing: Signing): Delegations {
  const keys = { ...before?.keys }
  const roles = { ...before?.roles }
  for (const application of names) {
    const name = applicationRole(application)
    const { key } = signing.signer(name)
    keys[key.keyID] = key
    roles[name] = new DelegatedRole({
      name,
      keyIDs: [key.keyID],
      threshold: 1,
      terminating: true,
      paths: [...applicationPaths(application)],
    })
  }
  return new Delegations({ keys, roles })
}

function authorised(state: TufState, role: 'targets' | 'snapshot' | 'timestamp', signing: Signing): TufSigner {
  return matching(role, state.root.signed.roles[role]?.keyIDs, signing)
}

function delegated(delegations: Delegations | undefined, role: string, signing: Signing): TufSigner {
  return matching(role, delegations?.roles?.[role]?.keyIDs, signing)
}

function matching(role: string, keyIds: readonly string[] | undefined, signing: Signing): TufSigner {
  const signer = signing.signer(role)
  if (keyIds?.includes(signer.key.keyID)) return signer
  throw new ReleaseError(
    'KEY_MISMATCH',
    `the key for ${role} is ${signer.key.keyID}, the repository trusts ${keyIds?.join(', ') || 'none'}`,
    { details: { role, found: signer.key.keyID } },
  )
}

/** Numbers that a killed upload used are skipped: their files may hold other bytes and are never written again. */
function nextVersion(state: TufState, role: string, current: number): number {
  return Math.max(current, state.taken.get(role) ?? 0) + 1
}

function expiry(signing: Signing, role: keyof LifetimesDays): string {
  const atMs = signing.nowMs + signing.lifetimesDays[role] * 86_400_000
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`
}

function signedBytes(metadata: Metadata<Root | Targets | Snapshot | Timestamp>, signer: TufSigner): Buffer {
  metadata.sign(bytes => signer.sign(bytes))
  return Buffer.from(`${JSON.stringify(metadata.toJSON())}\n`)
}

function metaFile(version: number, bytes: Buffer): MetaFile {
  return new MetaFile({ version, length: bytes.byteLength, hashes: { sha256: hexOf(digestOf(bytes)) } })
}

function targetFile(target: NewTarget): TargetFile {
  return new TargetFile({ path: target.path, length: target.sizeBytes, hashes: { sha256: hexOf(target.digest) } })
}
