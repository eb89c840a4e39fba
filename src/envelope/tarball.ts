import path from 'node:path'
import { frameEnd, frameHeader } from '../payload/codec.ts'
import type { Codec, PayloadManifest } from '../payload/manifest.ts'
import type { Artifact } from '../payload/release-record.ts'
import type { SegmentSink } from '../payload/sink.ts'
import { OutputFile } from './output.ts'

/** What a release record says of a tarball. */
export type TarballArtifact = Artifact & { readonly kind: 'tarball' }

/** A tarball that is being written. */
export interface Tarball extends SegmentSink {
  /** End the file. Post: it is on disk, whole. */
  readonly finish: (manifest: PayloadManifest) => TarballArtifact
  /** Give up: nothing is left behind, but what was finished stays. */
  readonly discard: () => void
}

/** The media type of a compressed tar as an image layer; also what a tarball is published as. */
export function layerMediaType(codec: Codec['name']): string {
  return `application/vnd.oci.image.layer.v1.tar+${codec}`
}

/**
 * Write a payload as a tarball while it is packed.
 *
 * Shape: frame header, segments, the tar's and the frame's end. Every other envelope is made from this file: segments are
 * copied from it, and an image links it as its layer. Crash: a `.part` file beside it.
 */
export function createTarball(file: string, codec: Codec['name'] = 'zstd'): Tarball {
  const output = new OutputFile(file)
  const header = frameHeader(codec)
  output.write(header)
  return {
    segment: (_, bytes) => output.write(bytes),
    finish: manifest => {
      output.write(frameEnd(manifest.codec))
      const name = path.basename(file)
      const mediaType = layerMediaType(codec)
      return { kind: 'tarball', name, ...output.finish(), mediaType, payloadOffset: header.byteLength }
    },
    discard: () => output.discard(),
  }
}
