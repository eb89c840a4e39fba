import type { Artifact, ReleaseRecord } from '../payload/release-record.ts'
import type { Opened, OpenOptions } from '../sys/http.ts'

/** A file of a release, as its signed record has it. */
export interface WantedArtifact {
  readonly record: ReleaseRecord
  /** The component that it belongs to. */
  readonly component: string
  readonly artifact: Artifact
}

/** Where the bytes of an artifact can be read, by a claim that nobody has signed: whoever reads them checks their digests. */
export interface Location {
  /** For people: an address without what may be secret. */
  readonly name: string
  /** Open it, the whole or one range; undefined when there is no such thing. Errors: those of sys/http.ts, REGISTRY_*, HTTP_FAILED. */
  readonly open: (options: OpenOptions) => Promise<Opened>
  /** A local file is read by one reader; others answer several requests at once faster than one after the other. */
  readonly isLocal: boolean
}

/** A place that may have files of releases. */
export interface Mirror {
  /** For people: an address without what may be secret. */
  readonly name: string
  /** Say where an artifact would be, most likely first; nothing where a place of this kind has none of its kind. Nothing is asked. */
  readonly locate: (wanted: WantedArtifact) => readonly Location[]
}
