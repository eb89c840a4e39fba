import type { Digest } from '../core/digest.ts'
import { compareBytes } from '../core/relative-path.ts'
import type { ReleaseFile } from './dist.ts'
import { type Document, digestOfDocument, type Phase, phases } from './document.ts'
import { timestampKey } from './tuf/state.ts'

/** Where the bytes of an operation come from. */
export type OpSource =
  /** A file of the release, relative to its folder; `sameAs` is a key written before with the same bytes, to share them. */
  | { readonly kind: 'file'; readonly path: string; readonly sameAs?: string }
  /** Bytes made by the plan, stored beside it under their digest; `sameAs` as above. */
  | { readonly kind: 'generated'; readonly sameAs?: string }

/**
 * One write.
 *
 * Shape: `put` makes a key that must not exist with other bytes; `replace` expects the digest `replaces` in its place, or nothing
 * when that is absent. Either finds its own bytes already there and is then unchanged.
 */
export interface PublishOp {
  readonly kind: 'put' | 'replace'
  readonly key: string
  readonly digest: Digest
  readonly sizeBytes: number
  readonly mediaType: string
  readonly source: OpSource
  readonly replaces?: Digest
}

/** The operations of one phase, in the order in which they run. */
export interface PlannedPhase {
  readonly phase: Phase
  readonly ops: readonly PublishOp[]
}

/**
 * Everything that is written, in order. `base` is the timestamp.json that it follows; absent for a new repository. `sweep` has the keys that
 * nobody follows once the pointers have moved.
 */
export interface Publication {
  readonly base?: Digest
  readonly phases: readonly PlannedPhase[]
  readonly sweep: readonly string[]
}

/** The publication of a release, stored in `dist/VERSION/upload/TARGET/plan.json` before the first write. */
export interface PublishPlan extends Publication {
  readonly schema: 1
  readonly application: string
  readonly version: string
  readonly recordDigest: Digest
  /** Those that the release goes to. */
  readonly channels: readonly string[]
  /** Milliseconds since 1970: the time that signatures and expiry dates count from. */
  readonly madeAtMs: number
}

/** What became of one operation; appended to `dist/VERSION/upload/TARGET/receipt.ndjson` as it happens. */
export interface PublishReceipt {
  readonly schema: 1
  readonly phase: Phase
  readonly key: string
  readonly digest: Digest
  readonly outcome: 'written' | 'linked' | 'unchanged'
}

/** The keys whose present content {@link planPublication} must know. */
export function keysToHead(files: readonly ReleaseFile[], documents: readonly Document[]): readonly string[] {
  return [...files.map(file => file.key), ...documents.filter(document => !document.immutable).map(({ key }) => key)]
}

/**
 * Plan a publication: which keys, in which order, in the place of what.
 *
 * A reader follows pointers, so blobs come first, then what names them, then signed metadata, then the pointers; among these
 * timestamp.json is the last. A file of the release that is there with other bytes was left by a killed upload of
 * something never published (a published release is refused before): it is replaced.
 *
 * Pre: `current` has the digest of every key of {@link keysToHead} that exists.
 */
export function planPublication(options: {
  readonly base: Digest | undefined
  readonly files: readonly ReleaseFile[]
  readonly documents: readonly Document[]
  readonly current: ReadonlyMap<string, Digest>
  readonly sweep: readonly string[]
}): Publication {
  const { base, files, documents, current, sweep } = options
  const written = new Map<Digest, string>()
  const opsOfPhase = (phase: Phase) => {
    if (phase === 'blobs') return fileOps(files, current)
    const own = documents.filter(document => document.phase === phase)
    return documentOps(own, current, written)
  }
  return {
    ...(base === undefined ? {} : { base }),
    phases: phases.map(phase => ({ phase, ops: opsOfPhase(phase) })),
    sweep,
  }
}

function fileOps(files: readonly ReleaseFile[], current: ReadonlyMap<string, Digest>): readonly PublishOp[] {
  const firstKeys = new Map<Digest, string>()
  const seen = new Set<string>()
  const ops: PublishOp[] = []
  // The pool goes before the images, so that a layer is linked to the tarball and not the other way round.
  const ordered = files.toSorted((a, b) => blobRank(a.key) - blobRank(b.key) || compareBytes(a.key, b.key))
  for (const { key, path, digest, sizeBytes, mediaType } of ordered) {
    if (seen.has(key)) continue
    seen.add(key)
    const sameAs = firstKeys.get(digest)
    const source: OpSource = { kind: 'file', path, ...(sameAs === undefined ? {} : { sameAs }) }
    firstKeys.set(digest, sameAs ?? key)
    ops.push(planned({ key, digest, sizeBytes, mediaType, source }, true, current))
  }
  return ops
}

/** Bytes under several names, such as an index by its hash and by its plain name, are written once: `written` has the first of each. */
function documentOps(
  documents: readonly Document[],
  current: ReadonlyMap<string, Digest>,
  written: Map<Digest, string>,
): readonly PublishOp[] {
  return documents
    .toSorted((a, b) => pointerRank(a.key) - pointerRank(b.key) || compareBytes(a.key, b.key))
    .map(document => {
      const { key, bytes, mediaType } = document
      const digest = digestOfDocument(document)
      const sameAs = written.get(digest)
      if (sameAs === undefined) written.set(digest, key)
      const source: OpSource = { kind: 'generated', ...(sameAs === undefined ? {} : { sameAs }) }
      return planned({ key, digest, sizeBytes: bytes.byteLength, mediaType, source }, document.immutable, current)
    })
}

function planned(
  op: Omit<PublishOp, 'kind' | 'replaces'>,
  immutable: boolean,
  current: ReadonlyMap<string, Digest>,
): PublishOp {
  const present = current.get(op.key)
  if (immutable && (present === undefined || present === op.digest)) return { kind: 'put', ...op }
  return { kind: 'replace', ...op, ...(present === undefined ? {} : { replaces: present }) }
}

const blobRank = (key: string) => (key.startsWith('pool/') ? 0 : 1)

/** Pointers in the order of what they point to: an index before its signature, a page before the page that links to it. */
const pointerOrder: readonly RegExp[] = [
  /^repository\.json$/,
  /^apt\//,
  /^snapshot\//,
  /\/Contents-[^/]+$/,
  /\/Packages(\.[a-z]+)?$/,
  /\/Release$/,
  /\/Release\.gpg$/,
  /\/InRelease$/,
  /^oci\//,
  /^simple\/.+\/index\.(html|json)$/,
  /^simple\/index\.(html|json)$/,
  /^pages\/[^/]+\/[^/]+\/index\.html$/,
  /^pages\//,
  /^index\.html$/,
  /^metadata\/root\.json$/,
]

function pointerRank(key: string): number {
  if (key === timestampKey) return pointerOrder.length + 1
  const rank = pointerOrder.findIndex(pattern => pattern.test(key))
  return rank === -1 ? pointerOrder.length : rank
}
