import type { Digest } from '../core/digest.ts'

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
  | { readonly kind: 'changelog' }
)

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

/** A part of a release with a payload of its own; the first releases have exactly one. */
export interface ReleaseComponent {
  readonly name: string
  readonly artifacts: readonly Artifact[]
}
