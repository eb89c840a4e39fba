import path from 'node:path'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { frameEnd, frameHeader, openEncoder } from '../payload/codec.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import type { Artifact } from '../payload/release-record.ts'
import { arHeader, arMagic, arPadding } from './ar.ts'
import { type DebDescription, type DebPlan, planDeb } from './deb-package.ts'
import { OutputFile } from './output.ts'
import { smallTar, tarEnd } from './small-tar.ts'

const gzip = promisify(zlib.gzip)

/** What a release record says of a Debian package. */
export type DebArtifact = Artifact & { readonly kind: 'deb' }

export interface DebOptions extends DebDescription {
  /** The file to write. */
  readonly file: string
  /** The tarball of the same payload, finished: the segments are copied from it. */
  readonly tarball: { readonly file: string; readonly payloadOffset: number }
  readonly manifest: PayloadManifest
  /** The manifest as `compressedManifest` wrote it; it travels inside. */
  readonly storedManifest: Uint8Array
  /** By path in the payload; without them dpkg computes its own on installation. */
  readonly md5sums?: ReadonlyMap<string, string>
}

/** The ar member that carries the payload manifest: dpkg passes over names that begin with `_`. */
export const manifestMember = '_manifest.zst'

/**
 * Make a Debian package around a payload: the same segments, then those of its documents and units.
 *
 * Shape: debian-binary, control.tar.gz, data.tar.zst (one frame), `_manifest.zst`.
 * Post: the same bytes for the same options. Crash: a `.part` file beside it.
 * Errors: DEB_FIELD, DEB_TOO_LARGE, FILE_IO. Source: deb(5).
 */
export async function createDeb(options: DebOptions): Promise<DebArtifact> {
  const { manifest } = options
  const plan = planDeb(options, manifest, options.md5sums)
  const [tail, control] = await Promise.all([
    compressTail(smallTar(plan.tail, manifest.sourceDateEpoch), manifest),
    compressControl(plan, manifest),
  ])
  const output = new OutputFile(options.file)
  try {
    output.write(Buffer.from(arMagic))
    writeMember(output, 'debian-binary', Buffer.from('2.0\n'), manifest)
    writeMember(output, 'control.tar.gz', control, manifest)
    const payloadOffset = await writeData(output, tail, options)
    writeMember(output, manifestMember, options.storedManifest, manifest)
    return {
      kind: 'deb',
      name: path.basename(options.file),
      ...output.finish(),
      mediaType: 'application/vnd.debian.binary-package',
      payloadOffset,
      package: options.control.package,
      debianVersion: options.control.version,
      architecture: options.control.architecture,
      control: plan.controlText,
    }
  } catch (caught) {
    output.discard()
    throw caught
  }
}

async function compressTail(tar: Buffer, manifest: PayloadManifest): Promise<Buffer> {
  const encoder = await openEncoder(manifest.codec)
  try {
    return await encoder.encode(tar)
  } finally {
    encoder.close()
  }
}

function compressControl(plan: DebPlan, { sourceDateEpoch }: PayloadManifest): Promise<Buffer> {
  const tar = smallTar(plan.control, sourceDateEpoch)
  return gzip(Buffer.concat([tar, tarEnd]), { level: 6, chunkSize: 1024 * 1024 })
}

function writeMember(output: OutputFile, name: string, bytes: Uint8Array, manifest: PayloadManifest): void {
  output.write(arHeader(name, bytes.byteLength, manifest.sourceDateEpoch))
  output.write(bytes)
  output.write(Buffer.from(arPadding(bytes.byteLength)))
}

/** Write the data member; return where the payload's segments start in the file. */
async function writeData(output: OutputFile, tail: Uint8Array, { manifest, tarball }: DebOptions): Promise<number> {
  const header = frameHeader(manifest.codec.name)
  const end = frameEnd(manifest.codec)
  const sizeBytes = header.byteLength + manifest.segmentsSizeBytes + tail.byteLength + end.byteLength
  const name = manifest.codec.name === 'zstd' ? 'data.tar.zst' : 'data.tar.gz'
  output.write(arHeader(name, sizeBytes, manifest.sourceDateEpoch))
  output.write(header)
  const payloadOffset = output.sizeBytes
  await output.copyLong(tarball.file, tarball.payloadOffset, manifest.segmentsSizeBytes)
  output.write(tail)
  output.write(end)
  output.write(Buffer.from(arPadding(sizeBytes)))
  return payloadOffset
}
