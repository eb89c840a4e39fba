import { Metadata, MetadataKind, type MetaFile, type Root, type TargetFile, type Targets } from '@tufjs/models'
import type { Delegations } from '@tufjs/models/dist/delegations.js'
import { type Digest, digestOf } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import { trustError } from '../../trust/failure.ts'
import { metadataFolder } from '../../trust/layout.ts'
import { verifyRoot } from '../../trust/root.ts'
import type { TargetReader } from '../target.ts'

/** What a repository's metadata says now, verified. Version 0 stands for a file that was never made. */
export interface TufState {
  readonly root: Metadata<Root>
  /** `digest` is that of timestamp.json: who publishes next compares it. */
  readonly timestamp: { readonly version: number; readonly digest: Digest | undefined }
  readonly snapshot: { readonly version: number; readonly meta: Readonly<Record<string, MetaFile>> }
  readonly targets: { readonly version: number; readonly delegations: Delegations | undefined }
  /** By role name. */
  readonly roles: ReadonlyMap<string, RoleState>
  /**
   * The highest version by role that a file exists for, signed for or not: an upload that was killed leaves some, and a number
   * is never used twice for other bytes.
   */
  readonly taken: ReadonlyMap<string, number>
}

/** The targets that a delegated role signs for. */
export interface RoleState {
  readonly version: number
  readonly targets: Readonly<Record<string, TargetFile>>
}

const maxMetadataBytes = 64 * 1024 * 1024

/** The key of timestamp.json: the one file that makes everything else current. */
export const timestampKey = `${metadataFolder}/timestamp.json`

/**
 * Read and verify a repository's metadata as its publisher: signatures, hashes and versions count, dates do not, for an
 * expired repository is mended by publishing.
 *
 * Errors: TRUST_SIGNATURE, TRUST_MISMATCH, TRUST_ROLLBACK, TRUST_METADATA, REPOSITORY_DAMAGED (a file is missing).
 */
export async function readTufState(target: TargetReader, rootText: string): Promise<TufState> {
  const root = verifyRoot(Buffer.from(rootText), target.name)
  const taken = takenVersions(await target.list(metadataFolder))
  const timestampBytes = await target.get(timestampKey, maxMetadataBytes)
  if (timestampBytes === undefined) return emptyTufState(root, taken)
  try {
    const timestamp = Metadata.fromJSON(MetadataKind.Timestamp, parse(timestampBytes))
    root.verifyDelegate(MetadataKind.Timestamp, timestamp)
    const snapshotMeta = timestamp.signed.snapshotMeta
    const snapshot = Metadata.fromJSON(MetadataKind.Snapshot, parse(await readMeta(target, 'snapshot', snapshotMeta)))
    root.verifyDelegate(MetadataKind.Snapshot, snapshot)
    const { meta } = snapshot.signed
    const targets = await readTargets(target, 'targets', meta, root)
    const roles = new Map<string, RoleState>()
    for (const name of Object.keys(targets.signed.delegations?.roles ?? {})) {
      const role = await readTargets(target, name, meta, targets)
      roles.set(name, { version: role.signed.version, targets: role.signed.targets })
    }
    return {
      root,
      timestamp: { version: timestamp.signed.version, digest: digestOf(timestampBytes) },
      snapshot: { version: snapshot.signed.version, meta },
      targets: { version: targets.signed.version, delegations: targets.signed.delegations },
      roles,
      taken,
    }
  } catch (caught) {
    throw trustError(caught, target.name)
  }
}

/** The state of a repository that has a root and nothing else. */
export function emptyTufState(root: Metadata<Root>, taken: ReadonlyMap<string, number> = new Map()): TufState {
  return {
    root,
    timestamp: { version: 0, digest: undefined },
    snapshot: { version: 0, meta: {} },
    targets: { version: 0, delegations: undefined },
    roles: new Map(),
    taken,
  }
}

async function readTargets(
  target: TargetReader,
  role: string,
  meta: Readonly<Record<string, MetaFile>>,
  delegator: Metadata<Root> | Metadata<Targets>,
): Promise<Metadata<Targets>> {
  const expected = meta[`${role}.json`]
  if (expected === undefined) throw new ReleaseError('TRUST_METADATA', `${role}.json is not in the snapshot`)
  const metadata = Metadata.fromJSON(MetadataKind.Targets, parse(await readMeta(target, role, expected)))
  delegator.verifyDelegate(role, metadata)
  return metadata
}

async function readMeta(target: TargetReader, role: string, expected: MetaFile): Promise<Buffer> {
  const key = metadataKey(role, expected.version)
  const bytes = await target.get(key, expected.length ?? maxMetadataBytes)
  if (bytes === undefined) {
    throw new ReleaseError('REPOSITORY_DAMAGED', `${key} is missing in ${target.name}`, { details: { key } })
  }
  expected.verify(bytes)
  return bytes
}

/** The key of one version of a role's metadata. Source: TUF §6.2 (consistent snapshots). */
export function metadataKey(role: string, version: number): string {
  return `${metadataFolder}/${version}.${role}.json`
}

function takenVersions(keys: readonly string[]): ReadonlyMap<string, number> {
  const taken = new Map<string, number>()
  for (const key of keys) {
    const match = /\/(\d{1,9})\.(.+)\.json$/.exec(key)
    if (match?.[1] === undefined || match[2] === undefined) continue
    taken.set(match[2], Math.max(taken.get(match[2]) ?? 0, Number(match[1])))
  }
  return taken
}

function parse(bytes: Buffer) {
  return JSON.parse(bytes.toString('utf8'))
}
