import { stableJson } from '../core/canonical-json.ts'
import { type Digest, isDigest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { isRelativePath } from '../core/relative-path.ts'
import { isVersion } from '../core/version.ts'
import { Fields } from './fields.ts'

/** A file that a release consists of. `name` is a file name without folders, unique in the release. */
export type Artifact = {
  readonly name: string
  readonly sizeBytes: number
  readonly digest: Digest
  readonly mediaType: string
} /** The payload alone: frame header, segments, tar end, frame end. Also the layer of the image. */ & (
  | { readonly kind: 'tarball'; readonly payloadOffset: number }
  | {
      readonly kind: 'deb'
      readonly payloadOffset: number
      readonly package: string
      readonly debianVersion: string
      readonly architecture: string
      readonly control: string
    }
  /** An OCI image layout as a folder `NAME.oci/` beside the record; `digest` and `sizeBytes` are those of the image index. */
  | { readonly kind: 'oci'; readonly blobs: readonly OciBlob[] }
  | { readonly kind: 'manifest' }
  | { readonly kind: 'python'; readonly project: string; readonly requiresPython?: string }
  | { readonly kind: 'source' }
  /** What changed since an earlier release: see payload/delta. `fromManifest` is the digest of that release's manifest. */
  | { readonly kind: 'delta'; readonly from: string; readonly fromManifest: Digest }
  /** What the release consists of, as CycloneDX has it. */
  | { readonly kind: 'sbom' }
  /** How it was made: an in-toto statement, not signed yet. */
  | { readonly kind: 'provenance' }
)

/** Tell a delta pack from other artifacts. */
export function isDelta(artifact: Artifact): artifact is Artifact & { readonly kind: 'delta' } {
  return artifact.kind === 'delta'
}

/** A blob of an image: config, layers, manifests. The index itself is the artifact. */
export interface OciBlob {
  readonly digest: Digest
  readonly sizeBytes: number
  readonly mediaType: string
  /** Set when the bytes are those of another artifact of the release (the layer is the tarball). */
  readonly sameAs?: string
}

/**
 * What `cut` made: the sole input of `upload` and, as a signed target, the first thing that an installer reads.
 *
 * Shape: `dist/VERSION/release.json`, stable JSON, the same bytes for the same commit on every machine: it holds no time but
 * `sourceDateEpoch`, no path and no user. Parsed by {@link parseReleaseRecord}; unknown members are kept.
 */
export interface ReleaseRecord {
  readonly schema: 1
  readonly name: string
  readonly version: string
  readonly summary: string
  readonly licence: string
  readonly maintainer: string
  readonly homepage?: string
  /** The commit that the release was cut from, and the tree that was built: that commit's, with version files and changelog set. */
  readonly commit: string
  readonly tree: string
  /** The tag that marks it, such as `v1.1.4`; absent for a snapshot, which is never tagged. */
  readonly tag?: string
  /** Set when a server made it for itself (`install --rev`): nobody has signed it, and it is never published. */
  readonly builtHere?: true
  /** Seconds since 1970: the time of the commit. */
  readonly sourceDateEpoch: number
  readonly toolVersion: string
  readonly recipeDigest: Digest
  /** The release before it that the rehearsal upgraded from. */
  readonly previous?: string
  /** Markdown: this release's part of the changelog. */
  readonly changes: string
  readonly components: readonly ReleaseComponent[]
}

/** A part of a release with a payload of its own. The first is the application; what belongs to the release as a whole is with it. */
export interface ReleaseComponent {
  readonly name: string
  readonly artifacts: readonly Artifact[]
}

const artifactKinds = ['tarball', 'deb', 'oci', 'manifest', 'python', 'source', 'delta', 'sbom', 'provenance'] as const
const anySize = Number.MAX_SAFE_INTEGER

/** Write a record as it is stored and signed. */
export function recordBytes(record: ReleaseRecord): Buffer {
  return Buffer.from(stableJson(record))
}

/**
 * Read a record that came from outside.
 *
 * Post: names are file names, digests and sizes have their form, artifact names are unique.
 * Errors: RECORD_INVALID, DOCUMENT_NEWER.
 */
export function parseReleaseRecord(bytes: Uint8Array): ReleaseRecord {
  const value = parseJson(bytes)
  const fields = new Fields(value, 'RECORD_INVALID', 'record')
  const schema = fields.integer('schema', 1, anySize)
  if (schema > 1) throw new ReleaseError('DOCUMENT_NEWER', `the release record has schema ${schema}, expected 1`)
  fields.text('name', isFileName)
  fields.text('version', isVersion)
  for (const name of ['summary', 'licence', 'maintainer', 'toolVersion', 'changes']) fields.text(name)
  for (const name of ['commit', 'tree']) fields.text(name, isGitName)
  fields.optionalText('homepage')
  fields.optionalText('tag')
  fields.optionalText('previous', isVersion)
  if (fields.has('builtHere') && !fields.boolean('builtHere')) throw fields.unexpected('builtHere', 'true, or nothing')
  fields.integer('sourceDateEpoch', 0, anySize)
  fields.text('recipeDigest', isDigest)
  const names = new Set<string>()
  for (const [component] of fields.objects('components')) {
    component.text('name', isFileName)
    for (const [artifact] of component.objects('artifacts')) checkArtifact(artifact, names)
  }
  return value as ReleaseRecord
}

function checkArtifact(artifact: Fields, names: Set<string>): void {
  const name = artifact.text('name', isFileName)
  if (names.has(name)) throw artifact.error(`has the name ${name} a second time`)
  names.add(name)
  artifact.integer('sizeBytes', 0, anySize)
  artifact.text('digest', isDigest)
  artifact.text('mediaType')
  const kind = artifact.choice('kind', artifactKinds)
  if (kind === 'tarball' || kind === 'deb') artifact.integer('payloadOffset', 0, anySize)
  if (kind === 'deb') for (const field of ['package', 'debianVersion', 'architecture', 'control']) artifact.text(field)
  if (kind === 'python') artifact.text('project')
  if (kind === 'delta') {
    artifact.text('from', isVersion)
    artifact.text('fromManifest', isDigest)
  }
  if (kind === 'oci') checkBlobs(artifact)
}

function checkBlobs(artifact: Fields): void {
  for (const [blob] of artifact.objects('blobs')) {
    blob.text('digest', isDigest)
    blob.integer('sizeBytes', 0, anySize)
    blob.text('mediaType')
    blob.optionalText('sameAs', isFileName)
  }
}

function isFileName(text: string): boolean {
  return isRelativePath(text) && !text.includes('/')
}

/** SHA-1 or SHA-256, as git writes object names. */
function isGitName(text: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text)
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch (caught) {
    throw new ReleaseError('RECORD_INVALID', 'the release record is not JSON', { cause: caught })
  }
}
