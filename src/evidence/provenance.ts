import { stableJson } from '../core/canonical-json.ts'
import { type Digest, hexOf } from '../core/digest.ts'
import { compareBytes } from '../core/relative-path.ts'
import { toolVersion } from '../core/tool.ts'
import type { Artifact } from '../payload/release-record.ts'

/** Names what `cut` does; README.md of this folder says what the parameters mean. */
export const buildType = 'https://cutover.dev/provenance/cut/v1'
/** Names Cutover itself as the builder: who ran it is said by the signature, for a statement that named the machine could not be made again. */
export const builderId = 'https://cutover.dev/release'
/** The type of an in-toto statement. */
export const statementVersion = 'https://in-toto.io/Statement/v1'
/** The type of what the statement says. */
export const predicateType = 'https://slsa.dev/provenance/v1'

/** Something that went into a release and is known by its digest. */
export interface Material {
  readonly name: string
  readonly digest: Digest
  readonly uri?: string | undefined
}

/** What a release was made of and how. */
export interface ProvenanceOptions {
  readonly name: string
  readonly version: string
  readonly commit: string
  /** The git tree that was built: the commit's, with version files and changelog set. */
  readonly tree: string
  readonly tag?: string | undefined
  readonly recipeDigest: Digest
  /** Where the sources are public; credentials in it are left out. */
  readonly repositoryUrl?: string | undefined
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number
  /** The command lines of the recipe, as they were run. */
  readonly commands: { readonly tests: readonly string[]; readonly build: readonly string[] }
  /** The encoders of the payloads, such as `zstd 1.5.7`. */
  readonly encoders: readonly string[]
  /** Lock files, base images, the releases that deltas start from. */
  readonly materials: readonly Material[]
  /** Every artifact of the release but this statement. */
  readonly artifacts: readonly Artifact[]
}

/**
 * Say how a release was made, as an in-toto statement with SLSA's provenance. It is not signed here: whoever signs vouches for it.
 *
 * Shape: stable JSON. Post: the same bytes for the same commit, recipe, version and tools on every machine: no time but the commit's, no
 * host, user or path. Source: in-toto Statement v1; SLSA v1.2, provenance v1.
 */
export function createProvenance(options: ProvenanceOptions): Buffer {
  return Buffer.from(
    stableJson({
      _type: statementVersion,
      subject: options.artifacts
        .toSorted((a, b) => compareBytes(a.name, b.name))
        .map(({ name, digest }) => ({ name, digest: { sha256: hexOf(digest) } })),
      predicateType,
      predicate: { buildDefinition: buildDefinition(options), runDetails: runDetails(options) },
    }),
  )
}

function buildDefinition(options: ProvenanceOptions) {
  const { name, version, tag, recipeDigest, commands, materials, tree, sourceDateEpoch, encoders } = options
  const repository = withoutCredentials(options.repositoryUrl)
  return {
    buildType,
    externalParameters: { application: name, version, tag, repository, recipe: { sha256: hexOf(recipeDigest) } },
    internalParameters: { tree: { gitTree: tree }, sourceDateEpoch, commands, encoders },
    resolvedDependencies: [
      sourceMaterial(options, repository),
      ...materials.toSorted((a, b) => compareBytes(a.name, b.name)).map(describeMaterial),
    ],
  }
}

/** The run is named by what it made of what: an identifier of the machine's would differ on every one. */
function runDetails({ name, version, commit }: ProvenanceOptions) {
  return {
    builder: { id: builderId, version: { cutover: toolVersion } },
    metadata: { invocationId: `${name}/${version}/${commit}` },
  }
}

/** The commit, not the tag: what the tag marks has version files and changelog set besides. */
function sourceMaterial({ commit }: ProvenanceOptions, repository: string | undefined) {
  const uri = repository === undefined ? undefined : `git+${repository}@${commit}`
  return { name: 'source', uri, digest: { gitCommit: commit } }
}

function describeMaterial({ name, digest, uri }: Material) {
  return { name, uri, digest: { sha256: hexOf(digest) } }
}

/** Leave user, password, query and fragment out of an address; one that is none is left out altogether. */
function withoutCredentials(address: string | undefined): string | undefined {
  const url = address === undefined ? null : URL.parse(address)
  return url === null ? undefined : `${url.protocol}//${url.host}${url.pathname}`
}
