import { createHash } from 'node:crypto'
import path from 'node:path'
import zlib from 'node:zlib'
import { ReleaseError } from '../core/error.ts'
import { frameEnd, frameHeader, openEncoder } from '../payload/codec.ts'
import { rootFolders, tarEntryOf } from '../payload/entry.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import type { Artifact } from '../payload/release-record.ts'
import type { TarEntry } from '../payload/tar.ts'
import { arHeader, arMagic, arPadding } from './ar.ts'
import { type DebControl, installedSizeKib, renderControl } from './deb-control.ts'
import { type DebScripts, type DebUnit, renderScripts } from './deb-scripts.ts'
import { OutputFile } from './output.ts'
import { type SmallFile, smallTar, smallTarMembers, tarEnd } from './small-tar.ts'

/** What a release record says of a Debian package. */
export type DebArtifact = Artifact & { readonly kind: 'deb' }

export interface DebOptions {
  /** The file to write. */
  readonly file: string
  /** The tarball of the same payload, finished: the segments are copied from it. */
  readonly tarball: { readonly file: string; readonly payloadOffset: number }
  readonly manifest: PayloadManifest
  /** The manifest as `compressedManifest` wrote it; it travels inside. */
  readonly storedManifest: Uint8Array
  readonly control: DebControl
  /** Configuration files, relative to the root of the file system. */
  readonly conffiles: readonly string[]
  readonly scripts: DebScripts
  readonly units: readonly DebUnit[]
  /** Texts: see deb-documents.ts. */
  readonly changelog: string
  readonly copyright: string
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
  const { manifest, control } = options
  const data = planData(options)
  const tail = await compressTail(smallTar(data.files, data.tail, manifest.sourceDateEpoch), manifest)
  const controlText = renderControl(control, installedSizeKib(data.members))
  const output = new OutputFile(options.file)
  try {
    output.write(Buffer.from(arMagic))
    writeMember(output, 'debian-binary', Buffer.from('2.0\n'), manifest)
    writeMember(output, 'control.tar.gz', controlTar(options, controlText, data), manifest)
    const payloadOffset = writeData(output, tail, options)
    writeMember(output, manifestMember, options.storedManifest, manifest)
    return {
      kind: 'deb',
      name: path.basename(options.file),
      ...output.finish(),
      mediaType: 'application/vnd.debian.binary-package',
      payloadOffset,
      package: control.package,
      debianVersion: control.version,
      architecture: control.architecture,
      control: controlText,
    }
  } catch (caught) {
    output.discard()
    throw caught
  }
}

interface DataPlan {
  /** What the tail segment holds: documents and units. */
  readonly files: readonly SmallFile[]
  readonly tail: readonly TarEntry[]
  readonly members: readonly TarEntry[]
}

function planData(options: DebOptions): DataPlan {
  const { manifest } = options
  const payload = [...rootFolders(manifest.root), ...manifest.files.map(file => tarEntryOf(manifest.root, file))]
  const names = new Set(payload.map(member => member.name))
  const files = tailFiles(options)
  const tail = smallTarMembers(files, names)
  for (const member of tail) {
    if (!names.has(member.name) && !names.has(member.name.replace(/\/$/, ''))) continue
    throw new ReleaseError('DEB_FIELD', `${member.name} is in the payload, but the package brings its own`)
  }
  return { files, tail, members: [...payload, ...tail] }
}

function tailFiles(options: DebOptions): SmallFile[] {
  const folder = `usr/share/doc/${options.control.package}`
  const documents = [
    { path: `${folder}/changelog.Debian.gz`, mode: 0o644, bytes: zlib.gzipSync(options.changelog, { level: 9 }) },
    { path: `${folder}/copyright`, mode: 0o644, bytes: Buffer.from(options.copyright) },
  ]
  const units = options.units.map(unit => ({
    path: `lib/systemd/system/${unit.name}`,
    mode: 0o644,
    bytes: Buffer.from(unit.text),
  }))
  return [...documents, ...units]
}

async function compressTail(tar: Buffer, manifest: PayloadManifest): Promise<Buffer> {
  const encoder = await openEncoder(manifest.codec)
  try {
    return await encoder.encode(tar)
  } finally {
    encoder.close()
  }
}

function controlTar(options: DebOptions, controlText: string, data: DataPlan): Buffer {
  const texts = new Map<string, string>([['control', controlText], ...renderScripts(options.scripts, options.units)])
  const conffiles = conffilesText(options.conffiles, data.members)
  if (conffiles !== '') texts.set('conffiles', conffiles)
  if (options.md5sums !== undefined) texts.set('md5sums', md5sumsText(options, options.md5sums, data))
  const files = [...texts].map(([name, text]) => ({
    path: name,
    mode: text.startsWith('#!') ? 0o755 : 0o644,
    bytes: Buffer.from(text),
  }))
  const tar = smallTar(files, smallTarMembers(files, new Set()), options.manifest.sourceDateEpoch)
  return zlib.gzipSync(Buffer.concat([tar, tarEnd]), { level: 6, chunkSize: 1024 * 1024 })
}

function conffilesText(conffiles: readonly string[], members: readonly TarEntry[]): string {
  const files = new Set(members.filter(member => member.type === 'file').map(member => member.name))
  for (const conffile of conffiles) {
    if (files.has(`./${conffile}`)) continue
    throw new ReleaseError('DEB_FIELD', `the conffile ${conffile} is not a file of the package`, {
      details: { path: conffile },
    })
  }
  return conffiles.map(conffile => `/${conffile}\n`).join('')
}

/** Lines for every file but the configuration, which may change. Source: dh_md5sums(1). */
function md5sumsText(options: DebOptions, sums: ReadonlyMap<string, string>, data: DataPlan): string {
  const { manifest, conffiles } = options
  const lines: string[] = []
  const add = (sum: string, path: string) => {
    if (!conffiles.includes(path)) lines.push(`${sum}  ${path}\n`)
  }
  for (const file of manifest.files) {
    if (file.type === 'file') add(sums.get(file.path)!, `${manifest.root}/${file.path}`)
  }
  for (const file of data.files) add(createHash('md5').update(file.bytes).digest('hex'), file.path)
  return lines.join('')
}

function writeMember(output: OutputFile, name: string, bytes: Uint8Array, manifest: PayloadManifest): void {
  output.write(arHeader(name, bytes.byteLength, manifest.sourceDateEpoch))
  output.write(bytes)
  output.write(Buffer.from(arPadding(bytes.byteLength)))
}

/** Write the data member; return where the payload's segments start in the file. */
function writeData(output: OutputFile, tail: Uint8Array, { manifest, tarball }: DebOptions): number {
  const header = frameHeader(manifest.codec.name)
  const end = frameEnd(manifest.codec)
  const sizeBytes = header.byteLength + manifest.segmentsSizeBytes + tail.byteLength + end.byteLength
  const name = manifest.codec.name === 'zstd' ? 'data.tar.zst' : 'data.tar.gz'
  output.write(arHeader(name, sizeBytes, manifest.sourceDateEpoch))
  output.write(header)
  const payloadOffset = output.sizeBytes
  output.copy(tarball.file, tarball.payloadOffset, manifest.segmentsSizeBytes)
  output.write(tail)
  output.write(end)
  output.write(Buffer.from(arPadding(sizeBytes)))
  return payloadOffset
}
