import type { Metadata, Root } from '@tufjs/models'
import { canonicalJson } from '../../core/canonical-json.ts'
import { type Digest, digestOf, hexOf } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import { applicationRole, type LifetimesDays, rootKey } from '../../trust/layout.ts'
import { type Authority, assertSigned, delegatedAuthorities, isSigned, rootAuthority } from './authority.ts'
import { type Signatories, withApplications } from './delegation.ts'
import { expiresAt } from './expiry.ts'
import {
  type Delegations,
  type MetaEntry,
  parseSigned,
  type SnapshotFile,
  specVersion,
  type TargetEntry,
  type TargetsFile,
  type TimestampFile,
} from './format.ts'
import { followingRoot, numberedRootKey } from './root-chain.ts'
import { type TufSigner, trustedSigners } from './signer.ts'
import {
  ledgerName,
  metadataKey,
  type NextVersion,
  roleState,
  type TargetInfo,
  type TufState,
  timestampKey,
} from './state.ts'

/** Who signs, when, for how long. */
export interface Signing {
  /** Every key at hand for a role, trusted or not; none when the role's keys are elsewhere. */
  readonly signers: (role: string) => readonly TufSigner[]
  readonly nowMs: number
  readonly lifetimesDays: LifetimesDays
}

/** A file of signed metadata, ready to be stored. */
export interface MetadataFile {
  readonly key: string
  readonly bytes: Buffer
  /** False for what takes the place of the file before: `timestamp.json` and `root.json`. */
  readonly immutable: boolean
}

/** A target to sign for. */
export interface NewTarget extends TargetInfo {
  readonly path: string
}

/** What is to be signed next. Lists are complete: what they leave out is not signed for any more. */
export interface MetadataChange {
  /** By application. One without a role gets it delegated; one whose keys change in `delegations` must be here. */
  readonly applications: ReadonlyMap<string, readonly NewTarget[]>
  /** Of the top-level role; unchanged when absent. */
  readonly topTargets?: readonly NewTarget[]
  readonly ledger: Buffer
  /** Who signs for which application from now on; see `delegation.ts`. */
  readonly delegations?: Delegations
  /** Top-level targets that were signed elsewhere, by a ceremony. `topTargets` and `delegations` are then read from it. */
  readonly signedTargets?: Buffer
  /** The root that follows, signed. */
  readonly root?: Buffer
  /** Sign the top-level targets anew although they say the same. */
  readonly renewTargets?: boolean
}

/**
 * Make the metadata that follows `state`.
 *
 * Shape: in writing order: root (when it changes), top-level targets (when they change), the applications' roles, ledger, snapshot, and
 * timestamp as the last entry.
 * Errors: KEY_MISSING, KEY_MISMATCH, KEY_THRESHOLD, TRUST_SIGNATURE (a root or targets signed elsewhere), REPOSITORY_CHANGED (they
 * follow another state). Source: TUF §4, §6.
 */
export async function nextMetadata(
  state: TufState,
  change: MetadataChange,
  signing: Signing,
  next: NextVersion,
): Promise<readonly MetadataFile[]> {
  const files: MetadataFile[] = []
  const meta: Record<string, MetaEntry> = { ...state.snapshot.meta }
  const add = (name: string, version: number, bytes: Buffer) => {
    files.push({ key: metadataKey(name, version), bytes, immutable: true })
    meta[`${name}.json`] = metaEntry(version, bytes)
  }
  const root = addRoot(state, change, files)
  const { delegations, written } = await nextTargets(state, change, { root, signing, next })
  if (written !== undefined) add('targets', written.version, written.bytes)
  assertRenewed(state, delegations, change)
  const authorities = delegatedAuthorities(delegations)
  for (const [application, targets] of change.applications) {
    const role = applicationRole(application)
    const authority = authorities.get(role)
    if (authority === undefined) throw new Error(`${role} is not delegated`)
    const version = await next([role], state.snapshot.meta[`${role}.json`]?.version ?? 0)
    const expires = expiresAt('application', signing)
    const signed: TargetsFile = {
      _type: 'targets',
      spec_version: specVersion,
      version,
      expires,
      targets: listed(targets),
    }
    add(role, version, signedBytes(signed, trustedSigners(authority, signing)))
  }
  const version = await next(['snapshot', ledgerName], state.snapshot.version)
  add(ledgerName, version, change.ledger)
  const expires = expiresAt('snapshot', signing)
  const snapshot: SnapshotFile = { _type: 'snapshot', spec_version: specVersion, version, expires, meta }
  const snapshotBytes = signedBytes(snapshot, trustedSigners(rootAuthority(root, 'snapshot'), signing))
  files.push({ key: metadataKey('snapshot', version), bytes: snapshotBytes, immutable: true })
  files.push(nextTimestamp(state, metaEntry(version, snapshotBytes), { root, signing }))
  return files
}

/** Sign a part of metadata. Shape: the signed part stands in the file in its canonical form. */
export function signedBytes(signed: unknown, signers: readonly TufSigner[]): Buffer {
  const text = canonicalJson(signed)
  const bytes = Buffer.from(text)
  const signatures = signers.map(signer => signer.sign(bytes).toJSON())
  return Buffer.from(`{"signatures":${JSON.stringify(signatures)},"signed":${text}}\n`)
}

/** Write targets as TUF lists them. */
export function listed(targets: Iterable<NewTarget>): Readonly<Record<string, TargetEntry>> {
  const entries: [string, TargetEntry][] = []
  for (const { path, sizeBytes, digest } of targets) entries.push([path, { length: sizeBytes, hashes: sha256(digest) }])
  return Object.fromEntries(entries)
}

function addRoot(state: TufState, change: MetadataChange, files: MetadataFile[]): Metadata<Root> {
  if (change.root === undefined) return state.root
  const root = followingRoot(state.root, change.root, 'the new root')
  files.push({ key: numberedRootKey(root.signed.version), bytes: change.root, immutable: true })
  files.push({ key: rootKey, bytes: change.root, immutable: false })
  return root
}

interface Context {
  readonly root: Metadata<Root>
  readonly signing: Signing
  readonly next: NextVersion
}

interface NextTargets {
  readonly delegations: Delegations
  readonly written?: { readonly version: number; readonly bytes: Buffer }
}

async function nextTargets(state: TufState, change: MetadataChange, context: Context): Promise<NextTargets> {
  const authority = rootAuthority(context.root, 'targets')
  if (change.signedTargets !== undefined) return takeTargets(state, change, change.signedTargets, authority)
  const { signing } = context
  const delegations = withNew(change.delegations ?? state.targets.delegations, change, signing)
  const { file } = state.targets
  const isSame =
    file !== undefined &&
    change.renewTargets !== true &&
    delegations === state.targets.delegations &&
    (change.topTargets === undefined || isListed(state.targets.targets, change.topTargets)) &&
    isSigned(file, authority) &&
    !gainsSignature(rootAuthority(state.root, 'targets'), authority, signing)
  if (isSame) return { delegations }
  const version = await context.next(['targets'], state.targets.version)
  const targets = change.topTargets ?? [...state.targets.targets].map(([path, info]) => ({ path, ...info }))
  const signed = targetsPart({ version, targets, delegations, signing })
  const signers = trustedSigners(authority, signing, change.root === undefined ? undefined : unsignedHint)
  return { delegations, written: { version, bytes: signedBytes(signed, signers) } }
}

/** A root may only drop keys of targets once those that stay have signed them. */
const unsignedHint =
  'have the targets signed by the keys that stay first: release keys export --role targets -o FILE says how; then run this again'

/**
 * Whether a key that is trusted from now on can sign what the keys before it signed. It must, before they are dropped: a client that sees
 * the root without them meets the targets of before for a moment.
 */
function gainsSignature(before: Authority, after: Authority, signing: Signing): boolean {
  if ([...after.keys.keys()].every(keyId => before.keys.has(keyId))) return false
  const atHand = signing.signers('targets').filter(({ key }) => after.keys.has(key.keyID))
  return atHand.length >= after.threshold && atHand.some(({ key }) => !before.keys.has(key.keyID))
}

/** The signed part of the top-level targets. */
export function targetsPart(options: {
  readonly version: number
  readonly targets: Iterable<NewTarget>
  readonly delegations: Delegations
  readonly signing: Pick<Signing, 'nowMs' | 'lifetimesDays'>
}): TargetsFile {
  const { version, delegations } = options
  return {
    _type: 'targets',
    spec_version: specVersion,
    version,
    expires: expiresAt('targets', options.signing),
    targets: listed(options.targets),
    delegations,
  }
}

function takeTargets(
  state: TufState,
  { topTargets }: MetadataChange,
  bytes: Buffer,
  authority: Authority,
): NextTargets {
  const place = 'the signed targets'
  const file = parseSigned(bytes, 'targets', place)
  assertSigned(file, authority, place)
  const { version } = file.signed
  const { targets } = roleState(file.signed)
  if (version > state.targets.version && (topTargets === undefined || isListed(targets, topTargets))) {
    return { delegations: file.signed.delegations ?? { keys: {}, roles: [] }, written: { version, bytes } }
  }
  throw new ReleaseError(
    'REPOSITORY_CHANGED',
    `${place} have number ${version} and follow another state: the repository is at ${state.targets.version}`,
    { hint: 'export them again, and sign what follows the present state' },
  )
}

function withNew(delegations: Delegations, change: MetadataChange, signing: Signing): Delegations {
  const known = new Set(delegations.roles.map(({ name }) => name))
  const names = [...change.applications.keys()].filter(name => !known.has(applicationRole(name)))
  if (names.length === 0) return delegations
  return withApplications(delegations, new Map(names.map(name => [name, newSignatories(name, signing)])))
}

function newSignatories(application: string, signing: Signing): Signatories {
  const role = applicationRole(application)
  const publicKeys = signing.signers(role).map(({ key }) => key.keyVal['public']!)
  if (publicKeys.length > 0) return { publicKeys, threshold: 1 }
  throw new ReleaseError('KEY_MISSING', `no key for ${role} is at hand`, { details: { role } })
}

/** A role that other keys sign for from now on must be signed by them at once: nobody could read it otherwise. */
function assertRenewed(state: TufState, delegations: Delegations, change: MetadataChange): void {
  for (const application of reassigned(state, delegations)) {
    if (!change.applications.has(application)) throw new Error(`${application} has other keys and is not signed anew`)
  }
}

/** The applications whose signing keys or threshold differ from those of `state`, and that have metadata. */
export function reassigned(state: TufState, delegations: Delegations): readonly string[] {
  if (delegations === state.targets.delegations) return []
  const before = new Map(state.targets.delegations.roles.map(role => [role.name, role]))
  const changed = delegations.roles.filter(({ name, keyids, threshold }) => {
    const old = before.get(name)
    if (old === undefined || state.snapshot.meta[`${name}.json`] === undefined) return false
    return old.threshold !== threshold || old.keyids.join() !== keyids.join()
  })
  return changed.map(({ name }) => name.slice(applicationRole('').length))
}

function nextTimestamp(
  state: TufState,
  snapshot: MetaEntry,
  { root, signing }: Pick<Context, 'root' | 'signing'>,
): MetadataFile {
  const signed: TimestampFile = {
    _type: 'timestamp',
    spec_version: specVersion,
    version: state.timestamp.version + 1,
    expires: expiresAt('timestamp', signing),
    meta: { 'snapshot.json': snapshot },
  }
  const bytes = signedBytes(signed, trustedSigners(rootAuthority(root, 'timestamp'), signing))
  return { key: timestampKey, bytes, immutable: false }
}

function isListed(present: ReadonlyMap<string, TargetInfo>, targets: readonly NewTarget[]): boolean {
  return present.size === targets.length && targets.every(({ path, digest }) => present.get(path)?.digest === digest)
}

function metaEntry(version: number, bytes: Buffer): MetaEntry {
  return { version, length: bytes.byteLength, hashes: sha256(digestOf(bytes)) }
}

const sha256 = (digest: Digest) => ({ sha256: hexOf(digest) })
