import type { Json } from '../core/canonical-json.ts'
import type { Digest } from '../core/digest.ts'

/** How the tar is compressed: `zstd` is one frame with independent segments, `gzip` a member per segment. */
export interface Codec {
  readonly name: 'zstd' | 'gzip'
  readonly level: number
  /** The library and its version, such as `zstd 1.5.7`: output is deterministic for one version only. */
  readonly encoder: string
}

/**
 * A stretch of the payload that can be fetched, verified and decoded alone.
 *
 * Units: bytes. `offset` counts from the first byte of the payload's segments, so that an envelope only has to state where
 * those start; `tarOffset` counts in the uncompressed tar.
 */
export interface Segment {
  readonly index: number
  readonly offset: number
  readonly sizeBytes: number
  readonly digest: Digest
  readonly tarOffset: number
  readonly tarSizeBytes: number
  readonly tarDigest: Digest
}

/**
 * One entry of the payload, in tar order (folders before their content, entries in byte order, all symlinks last).
 *
 * Shape: `path` is relative to the payload's root; the folder of the root itself is not listed. `mode` holds permission bits only.
 * `tarOffset` is where a file's content starts in the uncompressed tar; its segments are those that overlap it.
 */
export type FileEntry =
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | {
      readonly type: 'file'
      readonly path: string
      readonly mode: number
      readonly sizeBytes: number
      readonly digest: Digest
      readonly tarOffset: number
      readonly firstSegment: number
      readonly lastSegment: number
    }
  | { readonly type: 'symlink'; readonly path: string; readonly linkTarget: string }

/**
 * What a payload consists of: enough to fetch any part of it from any envelope and to verify every file.
 *
 * Shape: stored as canonical JSON (`NAME-VERSION.manifest.json`); parsed by {@link parseManifest}; unknown members are kept.
 */
export interface PayloadManifest {
  readonly schema: 1
  readonly name: string
  readonly version: string
  /** Seconds since 1970; the modification time of every file. */
  readonly sourceDateEpoch: number
  /** Where the payload lives on a file system in packages and images, such as `opt/notes`; an installation in a prefix strips it. */
  readonly root: string
  readonly codec: Codec
  /** The compressed segments, one after the other, without any frame header or end. */
  readonly segmentsSizeBytes: number
  /** The uncompressed tar without its two final zero blocks. */
  readonly tar: { readonly sizeBytes: number; readonly digest: Digest }
  readonly segments: readonly Segment[]
  readonly files: readonly FileEntry[]
  /** The recipe's parts that a server needs (`node`, `environments`) as written; read by recipe/node.ts. */
  readonly recipe: Json
}
