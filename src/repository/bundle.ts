import { type Digest, digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import type { Artifact, ReleaseRecord } from '../payload/release-record.ts'
import {
  applicationRole,
  channelTarget,
  type ListedRelease,
  poolKey,
  type ReleaseIndex,
  rootKey,
} from '../trust/layout.ts'
import { artifactsOf } from './artifacts.ts'
import { type RepositoryView, readRecord, readRepository } from './state.ts'
import type { StoredObject, TargetReader } from './target.ts'
import { numberedRootKey } from './tuf/root-chain.ts'
import { ledgerName, metadataKey, readRole, readTarget } from './tuf/state.ts'

/** A file that goes into a bundle: its bytes where they are at hand, else as the repository has them. */
export interface BundleFile extends StoredObject {
  readonly key: string
  readonly bytes?: Buffer
}

/** A repository whose metadata is being gathered for a bundle. */
export interface BundleSource {
  readonly view: RepositoryView
  /** The digests of its roots, oldest first. */
  readonly roots: readonly Digest[]
  /** Read an application's list and its channels. Errors: TRUST_*, REPOSITORY_DAMAGED. */
  readonly gather: (application: string) => Promise<{ readonly index: ReleaseIndex; readonly expiresMs: number }>
  /** Read the record of a listed release. Errors: REPOSITORY_DAMAGED. */
  readonly record: (application: string, listed: ListedRelease) => Promise<ReleaseRecord>
  /** Everything signed that was read so far, in byte order of the keys: what a client reads to get as far. */
  readonly files: () => readonly BundleFile[]
}

const maxRootBytes = 512_000

/**
 * Read a repository from its first root on, and remember every signed file that it took.
 *
 * Nothing is believed but what follows from the first root; whether that is the right one, its caller decides by {@link BundleSource.roots}.
 * Errors: REPOSITORY_UNKNOWN, REPOSITORY_DAMAGED, TRUST_*.
 */
export async function openBundleSource(target: TargetReader): Promise<BundleSource> {
  const read = new Map<string, Buffer>()
  const recorder = recordingReader(target, read)
  const first = await recorder.get(numberedRootKey(1), maxRootBytes)
  if (first === undefined) {
    throw new ReleaseError('REPOSITORY_UNKNOWN', `there is no repository in ${target.name}`, {
      details: { path: target.name },
    })
  }
  const view = await readRepository(recorder, first.toString('utf8'))
  const { tuf } = view
  const rootVersions = Array.from({ length: tuf.root.signed.version }, (_, index) => index + 1)
  return {
    view,
    roots: rootVersions.map(version => digestOf(read.get(numberedRootKey(version))!)),
    gather: async application => {
      const index = await view.index(application)
      const role = await readRole(recorder, tuf, applicationRole(application))
      for (const channel of Object.keys(index.channels)) {
        await readTarget(recorder, role, channelTarget(application, channel))
      }
      const rootExpiresMs = Date.parse(tuf.root.signed.expires)
      const dates = [tuf.timestamp, tuf.snapshot, tuf.targets, role].map(({ expiresMs }) => expiresMs)
      return { index, expiresMs: Math.min(rootExpiresMs, ...dates) }
    },
    record: (application, listed) => readRecord(recorder, application, listed),
    files: () => {
      const ledger = tuf.snapshot.meta[`${ledgerName}.json`]
      const files = new Map(read)
      // For publishers only.
      if (ledger !== undefined) files.delete(metadataKey(ledgerName, ledger.version))
      files.set(rootKey, tuf.rootBytes)
      return sorted(
        [...files].map(([key, bytes]) => ({ key, bytes, sizeBytes: bytes.byteLength, digest: digestOf(bytes) })),
      )
    },
  }
}

/**
 * Name the files of a release that an installation needs: of each component the manifest and one envelope, the delta packs from some versions, and
 * the provenance, which tells how it was made.
 *
 * Errors: RECORD_INVALID (a component has no payload).
 */
export function bundledFiles(
  record: ReleaseRecord,
  { provenance }: ListedRelease,
  deltasFrom: readonly string[],
): readonly BundleFile[] {
  const { name, version, components } = record
  const artifacts = components.flatMap(component => [
    ...component.artifacts.filter(({ kind }) => kind === 'manifest'),
    envelopeOf(record, component.artifacts),
    ...component.artifacts.filter(artifact => artifact.kind === 'delta' && deltasFrom.includes(artifact.from)),
  ])
  return [...artifacts, ...(provenance === undefined ? [] : [provenance])].map(file => ({
    key: poolKey(name, version, file.name),
    sizeBytes: file.sizeBytes,
    digest: file.digest,
  }))
}

/** The versions that delta packs of a release lead from. */
export function deltaBases(record: ReleaseRecord): readonly string[] {
  return [...new Set(artifactsOf(record, 'delta').map(({ from }) => from))]
}

/** All envelopes have the same payload; a tarball has nothing besides. */
function envelopeOf({ name, version }: ReleaseRecord, artifacts: readonly Artifact[]): Artifact {
  const envelope = artifacts.find(({ kind }) => kind === 'tarball') ?? artifacts.find(({ kind }) => kind === 'deb')
  if (envelope !== undefined) return envelope
  throw new ReleaseError('RECORD_INVALID', `the record of ${name} ${version} names no tarball or package`, {
    details: { version },
  })
}

/** Files in the order in which a bundle has them. */
export function sorted(files: readonly BundleFile[]): readonly BundleFile[] {
  return files.toSorted((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
}

function recordingReader(target: TargetReader, read: Map<string, Buffer>): TargetReader {
  return {
    ...target,
    get: async (key, maxBytes) => {
      const bytes = await target.get(key, maxBytes)
      if (bytes !== undefined) read.set(key, bytes)
      return bytes
    },
  }
}
