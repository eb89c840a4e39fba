import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { arMagic } from '../envelope/ar.ts'
import { manifestMember } from '../envelope/deb.ts'
import { type DebContents, readDebFrom } from '../envelope/deb-reader.ts'
import { frameHeader } from '../payload/codec.ts'
import { type DeltaIndex, deltaMagic } from '../payload/delta/format.ts'
import { readDelta } from '../payload/delta/open.ts'
import { type PayloadManifest, parseManifest } from '../payload/manifest.ts'
import { isAddress, largestStoredBytes, openStored, type StoredFile } from './inspect-bytes.ts'
import { type InspectedImage, openImage } from './inspect-image.ts'

/** Where the segments of a payload are. */
export interface PayloadPlace {
  readonly url: string
  readonly payloadOffset: number
}

/** Something that `cut` wrote, as far as it was read: never its segments. */
export type Inspected = { readonly place: string; readonly sizeBytes: number } & (
  | { readonly kind: 'tarball'; readonly manifest: PayloadManifest; readonly content: PayloadPlace }
  /** A package of somebody else has no manifest. */
  | {
      readonly kind: 'deb'
      readonly deb: DebContents
      readonly manifest?: PayloadManifest
      readonly content?: PayloadPlace
    }
  | InspectedImage
  | { readonly kind: 'manifest'; readonly manifest: PayloadManifest }
  | { readonly kind: 'delta'; readonly delta: DeltaIndex }
)

/** What is opened, and how. */
export interface InspectOpenOptions {
  readonly cwd: string
  /** A file, a folder, or an address. */
  readonly place: string
  /** The manifest to read it by, instead of the one in it or beside it. */
  readonly manifest?: string | undefined
}

/**
 * Find out what something is by its first bytes, and read what it says of its content.
 *
 * Errors: INSPECT_UNKNOWN, INSPECT_NO_MANIFEST, ENVELOPE_MISMATCH (shorter than its manifest says), those of the readers.
 */
export async function openInspected(options: InspectOpenOptions, signal: AbortSignal): Promise<Inspected> {
  const { cwd, place, manifest: named } = options
  const given = named === undefined ? undefined : await readManifest(await required(cwd, named, signal))
  const folder = path.resolve(cwd, place)
  if (!isAddress(place) && isFolder(folder)) return openImage(folder, given)
  const file = await required(cwd, place, signal)
  const head = await file.read({ offset: 0, sizeBytes: 16 })
  const found = { place: file.name, sizeBytes: file.sizeBytes }
  if (startsWith(head, arMagic)) return { ...found, ...(await openDeb(file, given)) }
  if (startsWith(head, deltaMagic)) return { ...found, kind: 'delta', delta: await readDeltaIndex(file) }
  if (startsWith(head, frameHeader('zstd')) || startsWith(head, gzipMagic)) {
    const manifest = given ?? (await manifestBeside(file, signal))
    const payloadOffset = frameHeader(manifest.codec.name).byteLength
    assertLength(file.name, manifest, file.sizeBytes - payloadOffset)
    return { ...found, kind: 'tarball', manifest, content: { url: file.url, payloadOffset } }
  }
  // Any other zstd frame: what a tarball begins with has a window of its own.
  if (startsWith(head, zstdMagic) || startsWith(head, '{')) {
    return { ...found, kind: 'manifest', manifest: await readManifest(file) }
  }
  throw unknown(file.name, 'is nothing that `release cut` writes')
}

const gzipMagic = Buffer.from([0x1f, 0x8b])
const zstdMagic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])

function startsWith(head: Buffer, magic: string | Buffer): boolean {
  return head.subarray(0, magic.length).equals(Buffer.from(magic))
}

async function openDeb(file: StoredFile, given: PayloadManifest | undefined) {
  const deb = await readDebFrom(file)
  const member = deb.members.find(each => each.name === manifestMember)
  if (given === undefined && member === undefined) return { kind: 'deb', deb } as const
  const manifest = given ?? parseManifest(await whole({ ...file, ...member!, name: `${file.name} ${manifestMember}` }))
  const headerBytes = frameHeader(manifest.codec.name).byteLength
  assertLength(file.name, manifest, deb.data.sizeBytes - headerBytes)
  const content = { url: file.url, payloadOffset: deb.data.offset + headerBytes }
  return { kind: 'deb', deb, manifest, content } as const
}

/** `cut` writes NAME-VERSION.tar.zst, and NAME-VERSION.manifest.json.zst beside it. */
async function manifestBeside(file: StoredFile, signal: AbortSignal): Promise<PayloadManifest> {
  const beside = file.name.replace(/\.tar\.(zst|gz)$/, '.manifest.json.zst')
  const stored = beside === file.name ? undefined : await openStored('/', beside, signal)
  if (stored !== undefined) return readManifest(stored)
  const problem = beside === file.name ? 'has no name that says what its manifest is called' : `needs ${beside}`
  throw new ReleaseError('INSPECT_NO_MANIFEST', `${file.name} is a tarball, and ${problem}`, {
    hint: `run \`release inspect --manifest FILE ${file.name}\` with the manifest of the same release`,
    details: { path: file.name },
  })
}

/** The pieces of a pack here are left alone; one elsewhere is fetched. */
async function readDeltaIndex(file: StoredFile): Promise<DeltaIndex> {
  return readDelta(isAddress(file.url) ? await whole(file) : file.name).index
}

async function readManifest(file: StoredFile): Promise<PayloadManifest> {
  return parseManifest(await whole(file))
}

/** Read a document whole: a file, or the stretch of it that begins at `offset`. */
async function whole(file: StoredFile & { readonly offset?: number }): Promise<Buffer> {
  const { name, sizeBytes, offset = 0 } = file
  if (sizeBytes > largestStoredBytes) {
    throw unknown(name, `has ${sizeBytes} bytes, and no manifest or delta pack more than ${largestStoredBytes}`)
  }
  return file.read({ offset, sizeBytes })
}

async function required(cwd: string, place: string, signal: AbortSignal): Promise<StoredFile> {
  const file = await openStored(cwd, place, signal)
  if (file !== undefined) return file
  throw new ReleaseError('INSPECT_UNKNOWN', `${place} does not exist`, {
    hint: '`release list` tells what was published; `release cut` writes to dist/VERSION',
    details: { place },
  })
}

function isFolder(name: string): boolean {
  return fs.statSync(name, { throwIfNoEntry: false })?.isDirectory() === true
}

function assertLength(place: string, manifest: PayloadManifest, sizeBytes: number): void {
  if (sizeBytes >= manifest.segmentsSizeBytes) return
  const message = `${place} has room for ${Math.max(0, sizeBytes)} bytes of segments, expected ${manifest.segmentsSizeBytes}`
  throw new ReleaseError('ENVELOPE_MISMATCH', message, {
    hint: 'fetch it again, or name the manifest of its own release with --manifest',
    details: { place, sizeBytes, expected: manifest.segmentsSizeBytes },
  })
}

function unknown(place: string, problem: string): ReleaseError {
  return new ReleaseError('INSPECT_UNKNOWN', `${place} ${problem}`, { details: { place } })
}
