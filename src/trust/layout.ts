import { type Digest, hexOf } from '../core/digest.ts'

/*
 * Where things are in a vendor repository, relative to its address. Both sides use these names: the publisher to write, the
 * installer to read. Every key is a relative path.
 */

/** The folder of TUF metadata. */
export const metadataFolder = 'metadata'
/** The folder of TUF targets (release records and the index of releases). */
export const targetsFolder = 'targets'

/** The newest root, beside the numbered ones: what a new prefix pins. */
export const rootKey = `${metadataFolder}/root.json`

/** The TUF target path of a release's record. */
export const recordTarget = (application: string, version: string): string => `${application}/${version}/release.json`

/** The TUF target path of the list of an application's releases. */
export const indexTarget = (application: string): string => `${application}/releases.json`

/** The TUF role that is delegated all targets of an application. Never one of the four top-level names, whatever the application is called. */
export const applicationRole = (application: string): string => `application-${application}`

/** The TUF path patterns that an application's role may sign for. A wildcard does not cross `/` (TUF §4.5). */
export const applicationPaths = (application: string): readonly string[] => [
  recordTarget(application, '*'),
  indexTarget(application),
]

/** The key of a TUF target under consistent snapshots: the hash stands before the file name. Source: TUF §6.2. */
export function targetKey(target: string, digest: Digest): string {
  const slash = target.lastIndexOf('/') + 1
  return `${targetsFolder}/${target.slice(0, slash)}${hexOf(digest)}.${target.slice(slash)}`
}

/** The key of a release's artifact. */
export const poolKey = (application: string, version: string, artifact: string): string =>
  `pool/${application}/${version}/${artifact}`

/** The folder of an application's OCI image layout. */
export const ociFolder = (application: string): string => `oci/${application}`

/** The key of an image blob. Shape: an OCI image layout under `oci/APPLICATION`. */
export const ociBlobKey = (application: string, digest: Digest): string =>
  `${ociFolder(application)}/blobs/sha256/${hexOf(digest)}`

/** The file that a repository names itself with. */
export const repositoryFile = 'repository.json'

/** What a repository says of itself. Not signed: nothing but names and addresses for people and set-up. */
export interface RepositoryDescription {
  readonly schema: 1
  readonly name: string
  /** Where clients reach it, for the commands that its pages show. */
  readonly url: string
  /** Armoured OpenPGP public key that signs the apt repository. */
  readonly aptKey: string
}

/** The list of an application's releases: a signed target. */
export interface ReleaseIndex {
  readonly schema: 1
  readonly application: string
  /** In order of precedence, oldest first. */
  readonly releases: readonly ListedRelease[]
}

/** One line of the list of releases. `snapshot` ones are cut from a branch and never tagged. */
export interface ListedRelease {
  readonly version: string
  readonly commit: string
  readonly sourceDateEpoch: number
  readonly snapshot: boolean
}
