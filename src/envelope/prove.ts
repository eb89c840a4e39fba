import fs from 'node:fs'
import { type Digest, Digester, digestOf } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { frameHeader } from '../payload/codec.ts'
import { manifestBytes, manifestJson, type PayloadManifest } from '../payload/manifest.ts'
import { TarReader } from '../payload/tar-reader.ts'
import { arMagic } from './ar.ts'
import { manifestMember } from './deb.ts'
import { readDeb } from './deb-reader.ts'
import { decompressRange, type FileRange, readRange } from './input.ts'
import { MemberComparison } from './members.ts'
import { proveImage } from './prove-image.ts'

/** A stored manifest is at most so long: what two million files take. */
const largestStoredBytes = 128 * 1024 * 1024

/** What reading an envelope back has shown. */
export interface EnvelopeProof {
  readonly kind: 'tarball' | 'deb' | 'oci'
  /** Names of the tar members that the envelope adds behind the payload's. */
  readonly added: readonly string[]
}

/**
 * Read an envelope back under the rules of its readers, and compare every file in it with the manifest.
 *
 * A tarball and the last layer of an image hold the payload and nothing else; a package may add members behind it, and brings the manifest.
 * In all of them the segments lie where an installer looks for them. `proven` are digests of tarballs that were proven before:
 * a layer with one of them is digested, not unpacked again.
 * Errors: ENVELOPE_MISMATCH, DEB_INVALID, TAR_INVALID, FILE_IO, those of proveImage.
 */
export async function proveEnvelope(
  file: string,
  manifest: PayloadManifest,
  proven: ReadonlySet<Digest> = new Set(),
): Promise<EnvelopeProof> {
  if (sizeOf(file) === 'folder') {
    await proveImage(file, { manifest, proven }, layer => proveTarball(layer, manifest))
    return { kind: 'oci', added: [] }
  }
  const magic = readRange({ file, offset: 0, sizeBytes: arMagic.length }).toString('latin1')
  return magic === arMagic ? proveDeb(file, manifest) : proveTarball(file, manifest)
}

async function proveTarball(file: string, manifest: PayloadManifest): Promise<EnvelopeProof> {
  const added = await proveTar({ file, offset: 0, sizeBytes: sizeOf(file) as number }, manifest)
  if (added.length > 0) throw mismatch(file, `holds ${added[0]}, which is not in the manifest`)
  return { kind: 'tarball', added }
}

async function proveDeb(file: string, manifest: PayloadManifest): Promise<EnvelopeProof> {
  const { members, data } = readDeb(file)
  const member = members.find(each => each.name === manifestMember)
  if (member === undefined) throw mismatch(file, `has no member ${manifestMember}`)
  if (member.sizeBytes > largestStoredBytes) throw mismatch(file, `has ${member.sizeBytes} bytes in ${manifestMember}`)
  if (!manifestJson(readRange({ file, ...member })).equals(manifestBytes(manifest))) {
    throw mismatch(file, `holds another manifest in ${manifestMember}`)
  }
  return { kind: 'deb', added: await proveTar({ file, offset: data.offset, sizeBytes: data.sizeBytes }, manifest) }
}

/** Read a compressed tar whole, and its segments one by one; return the names of the members behind the payload's. */
async function proveTar(range: FileRange, manifest: PayloadManifest): Promise<readonly string[]> {
  proveSegments(range, manifest)
  const comparison = new MemberComparison(manifest, range.file)
  const reader = new TarReader(comparison)
  const digester = new Digester()
  await decompressRange(range, manifest.codec.name, bytes => {
    digester.update(bytes)
    reader.push(bytes)
  })
  reader.finish()
  comparison.finish()
  const added = comparison.tail.map(member => member.name)
  const found = digester.digest()
  if (added.length === 0 && found !== manifest.tar.digest) {
    throw mismatch(range.file, `holds a tar with ${found}, expected ${manifest.tar.digest}`)
  }
  return added
}

function proveSegments(range: FileRange, manifest: PayloadManifest): void {
  const payloadOffset = range.offset + frameHeader(manifest.codec.name).byteLength
  for (const { index, offset, sizeBytes, digest } of manifest.segments) {
    const found = digestOf(readRange({ file: range.file, offset: payloadOffset + offset, sizeBytes }))
    if (found !== digest) throw mismatch(range.file, `holds segment ${index} with ${found}, expected ${digest}`)
  }
}

function sizeOf(file: string): number | 'folder' {
  try {
    const stat = fs.statSync(file)
    return stat.isDirectory() ? 'folder' : stat.size
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

function mismatch(file: string, problem: string): ReleaseError {
  return new ReleaseError('ENVELOPE_MISMATCH', `${file} ${problem}`, { details: { path: file } })
}
