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

/** The TUF target path of the list of an application's releases. */
export const indexTarget = (application: string): string => `${application}/releases.json`

/** The TUF target path of what a channel of an application offers. */
export const channelTarget = (application: string, channel: string): string => `${application}/channels/${channel}.json`

/** The TUF role that is delegated all targets of an application. Never one of the four top-level names, whatever the application is called. */
export const applicationRole = (application: string): string => `application-${application}`

/** The TUF path patterns that an application's role may sign for. A wildcard does not cross `/` (TUF §4.5). */
export const applicationPaths = (application: string): readonly string[] => [
  indexTarget(application),
  channelTarget(application, '*'),
]

/** The key of a TUF target under consistent snapshots: the hash stands before the file name. Source: TUF §6.2. */
export function targetKey(target: string, digest: Digest): string {
  const slash = target.lastIndexOf('/') + 1
  return `${targetsFolder}/${target.slice(0, slash)}${hexOf(digest)}.${target.slice(slash)}`
}

/** The key of a release's record; the list of releases, a signed target, has its digest. */
export const recordKey = (application: string, version: string, digest: Digest): string =>
  `${targetsFolder}/${application}/${version}/${hexOf(digest)}.release.json`

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

/** What a repository says of itself: a signed target of the top-level role, and a plain file for those who only look. */
export interface RepositoryDescription {
  readonly schema: 1
  readonly name: string
  /** Where clients reach it, for the commands that its pages show. */
  readonly url: string
  /** Armoured OpenPGP public keys that sign the apt repository. */
  readonly aptKey: string
  /** Least stable first. */
  readonly channels: readonly string[]
  readonly lifetimesDays: LifetimesDays
  readonly apt: AptSettings
}

/** How long metadata is believed, in days, by role; `application` is each delegated role. */
export interface LifetimesDays {
  readonly root: number
  readonly targets: number
  readonly application: number
  readonly snapshot: number
  readonly timestamp: number
}

/** How the apt suites are made. */
export interface AptSettings {
  /** `repository`: all packages in `main`; `application`: those of each application in a component of its name. */
  readonly components: 'repository' | 'application'
  /** For how many days apt believes a Release file; for ever when absent. */
  readonly validDays?: number
  /** The forms of an index beside the plain one. */
  readonly compressions: readonly AptCompression[]
  /** Whether to list which package installs which file. */
  readonly contents: boolean
}

/** A form of an index, by its extension. */
export type AptCompression = 'gz' | 'zst' | 'xz'

/** The list of an application's releases: a signed target. */
export interface ReleaseIndex {
  readonly schema: 1
  readonly application: string
  /** In order of precedence, oldest first. */
  readonly releases: readonly ListedRelease[]
  /** The versions that each channel has, oldest first; those that are withdrawn are not offered. */
  readonly channels: Readonly<Record<string, readonly string[]>>
  /** The most stable channel: what a server takes that was told nothing else. */
  readonly defaultChannel?: string
}

/** One line of the list of releases: everything that indexes and lists say of a release. `snapshot` ones are cut from a branch and never tagged. */
export interface ListedRelease {
  readonly version: string
  readonly commit: string
  readonly sourceDateEpoch: number
  readonly snapshot: boolean
  readonly record: { readonly sizeBytes: number; readonly digest: Digest }
  /** Withdrawn: offered by no channel, still there for whoever names it. */
  readonly yanked?: { readonly reason: string; readonly atMs: number }
  /** Never pruned. */
  readonly held?: boolean
  /** The signed envelope of its provenance, in the pool beside the release's files. */
  readonly provenance?: { readonly name: string; readonly sizeBytes: number; readonly digest: Digest }
  readonly debs: readonly ListedDeb[]
  readonly images: readonly ListedImage[]
  readonly python: readonly ListedPython[]
}

/** A Debian package of a release. */
export interface ListedDeb {
  readonly package: string
  readonly version: string
  readonly architecture: string
}

/** An image of a release, with the artifacts that refer to it. */
export interface ListedImage {
  readonly digest: Digest
  readonly sizeBytes: number
  readonly referrers: readonly {
    readonly digest: Digest
    readonly sizeBytes: number
    readonly artifactType: string
  }[]
}

/** A Python distribution of a release. */
export interface ListedPython {
  readonly name: string
  readonly project: string
  readonly sizeBytes: number
  readonly digest: Digest
  readonly requiresPython?: string
}

/** What a channel of an application offers: a signed target. */
export interface ChannelDocument {
  readonly schema: 1
  readonly application: string
  readonly channel: string
  /** Absent when it offers nothing. */
  readonly release?: {
    readonly version: string
    /** The key of the record in the repository, with its digest and size. */
    readonly record: { readonly key: string; readonly digest: Digest; readonly sizeBytes: number }
  }
}
