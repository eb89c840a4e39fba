import { type Digest, hexOf } from '../core/digest.ts'

/*
 * Where things are in a vendor repository, relative to its address. Both sides use these names: the publisher to write, the
 * installer to read. Every key is a relative path.
 */

/** The folder of TUF metadata. */
export const metadataFolder = 'metadata'
/** The folder of TUF targets (release records and the index of releases). */
export const targetsFolder = 'targets'

/** The TUF target path of a release's record. */
export const recordTarget = (application: string, version: string): string => `${application}/${version}/release.json`

/** The TUF target path of the list of an application's releases. */
export const indexTarget = (application: string): string => `${application}/releases.json`

/** The TUF role that is delegated all targets of an application. */
export const applicationRole = (application: string): string => application

/** The key of a release's artifact. */
export const poolKey = (application: string, version: string, artifact: string): string =>
  `pool/${application}/${version}/${artifact}`

/** The key of an image blob. Shape: an OCI image layout under `oci/APPLICATION`. */
export const ociBlobKey = (application: string, digest: Digest): string =>
  `oci/${application}/blobs/sha256/${hexOf(digest)}`

/** The file that a repository names itself with. */
export const repositoryFile = 'repository.json'

/** What a repository says of itself. Not signed: nothing but names and addresses for people and set-up. */
export interface RepositoryDescription {
  readonly schema: 1
  readonly name: string
  /** Armoured OpenPGP public key that signs the apt repository. */
  readonly aptKey: string
}

/** The list of an application's releases: a signed target. */
export interface ReleaseIndex {
  readonly schema: 1
  readonly application: string
  /** In order of precedence, oldest first. */
  readonly releases: readonly {
    readonly version: string
    readonly commit: string
    readonly sourceDateEpoch: number
    readonly snapshot: boolean
  }[]
}
