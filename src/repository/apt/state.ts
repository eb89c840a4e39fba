import type { Digest } from '../../core/digest.ts'

/** What the ledger remembers of a suite, so that one package can be added without reading the others. */
export interface SuiteState {
  /** When the newest Release file says that it was made: the next one says something later. */
  readonly dateMs: number
  /** Whether nothing of it is installed unless asked for: never changed, for apt takes such a change for an attack. */
  readonly notAutomatic: boolean
  /** The newest of each file that carries or is a signature. */
  readonly release: Readonly<Record<ReleaseFileName, IndexFile>>
  /** By path without compression, relative to the suite: `main/binary-amd64/Packages`, `main/Contents-amd64`. */
  readonly indexes: Readonly<Record<string, IndexState>>
}

/** The files of a suite that apt reads first. */
export const releaseFileNames = ['Release', 'Release.gpg', 'InRelease'] as const
/** One of {@link releaseFileNames}. */
export type ReleaseFileName = (typeof releaseFileNames)[number]

/** An index in its forms. */
export interface IndexState {
  /** Oldest first, the present one last. */
  readonly generations: readonly IndexGeneration[]
}

/** One state of an index: by extension (`''`, `.gz`, `.zst`, `.xz`), as the Release file listed it. */
export type IndexGeneration = Readonly<Record<string, IndexFile>>

/** A file of an index. */
export interface IndexFile {
  readonly sizeBytes: number
  readonly digest: Digest
}

/** A package as a suite lists it. */
export interface AptPackage {
  /** apt's component, such as `main`. */
  readonly component: string
  readonly architecture: string
  readonly package: string
  readonly version: string
  readonly stanza: string
  /** The files that it installs, without a leading slash; only read where Contents are made. */
  readonly files?: readonly string[]
}

/** Tells a package of a suite from others. */
export type AptPackageKey = Pick<AptPackage, 'component' | 'architecture' | 'package' | 'version'>
