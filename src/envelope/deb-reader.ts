import fs from 'node:fs'
import zlib from 'node:zlib'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { TarReader } from '../payload/tar-reader.ts'
import { type ArMember, arHeaderBytes, arMagic, parseArHeader } from './ar.ts'
import { readRange } from './input.ts'

/** A Debian package as its parts say. */
export interface DebContents {
  readonly members: readonly ArMember[]
  /** The control file's text. */
  readonly control: string
  /** Everything in the control archive: `control`, `md5sums`, scripts; with its mode. */
  readonly controlFiles: ReadonlyMap<string, { readonly mode: number; readonly text: string }>
  readonly data: ArMember
}

/** The largest control archive, packed and unpacked; apt's limit for the control file. */
const largestControlBytes = 64 * 1024 * 1024

/** Whoever ships a package has three members, we four: a file of more is made to keep its reader busy. */
const mostMembers = 100

/** A stretch of a package that its reader asks for; a shorter one is the end of the file. */
export interface DebStretch {
  readonly offset: number
  readonly sizeBytes: number
}

/** Reading that goes on when it is given what it asked for, so that a package can be anywhere. */
type Reading<T> = Generator<DebStretch, T, Buffer>

/**
 * Read the parts of a Debian package under dpkg's rules, the data archive left alone.
 *
 * Errors: DEB_INVALID, TAR_INVALID, FILE_IO. Source: deb(5); dpkg 1.23.6 src/deb/extract.c (even size, no empty fields).
 */
export function readDeb(file: string): DebContents {
  const reading = readParts(file, fileSize(file))
  let step = reading.next()
  while (step.done !== true) step = reading.next(readRange({ file, ...step.value }))
  return step.value
}

/** Read a package that is elsewhere, stretch by stretch. Errors: those of {@link readDeb} and of `read`. */
export async function readDebFrom(place: {
  readonly name: string
  readonly sizeBytes: number
  readonly read: (stretch: DebStretch) => Promise<Buffer>
}): Promise<DebContents> {
  const reading = readParts(place.name, place.sizeBytes)
  let step = reading.next()
  while (step.done !== true) step = reading.next(await place.read(step.value))
  return step.value
}

function* readParts(file: string, sizeBytes: number): Reading<DebContents> {
  const members = yield* readMembers(file, sizeBytes)
  yield* assertOrder(file, members)
  const controlFiles = yield* readControl(file, members.find(member => member.name.startsWith('control.tar'))!)
  const control = controlFiles.get('control')?.text
  if (control === undefined) throw debError(file, 'has no control file')
  return { members, control, controlFiles, data: members.find(member => member.name.startsWith('data.tar'))! }
}

function* readMembers(file: string, fileBytes: number): Reading<ArMember[]> {
  const magic = yield { offset: 0, sizeBytes: arMagic.length }
  if (magic.toString('latin1') !== arMagic) throw debError(file, 'is not an ar archive')
  if (fileBytes % 2 === 1) throw debError(file, `has ${fileBytes} bytes, expected an even number`)
  const members: ArMember[] = []
  let at = arMagic.length
  while (at < fileBytes) {
    if (members.length === mostMembers) throw debError(file, `has more than ${mostMembers} members`)
    const member = parseArHeader(yield { offset: at, sizeBytes: arHeaderBytes }, at)
    members.push(member)
    at = member.offset + member.sizeBytes + (member.sizeBytes % 2)
    if (at > fileBytes) throw debError(file, `ends inside its member ${member.name}`)
  }
  return members
}

/** debian-binary, control, data; between them only names that begin with `_`; after them anything. */
function* assertOrder(file: string, members: readonly ArMember[]): Reading<void> {
  const [first, control, data] = members.filter(member => !member.name.startsWith('_'))
  if (first === undefined || first !== members[0] || first.name !== 'debian-binary') {
    throw debError(file, `begins with ${first?.name ?? 'nothing'}, expected debian-binary`)
  }
  const format = yield { offset: first.offset, sizeBytes: Math.min(first.sizeBytes, 16) }
  const version = format.toString('latin1')
  if (!/^2\.\d+\n/.test(version)) throw debError(file, `has the format ${JSON.stringify(version)}, expected 2.0`)
  if (control === undefined || !/^control\.tar(\.gz|\.zst)?$/.test(control.name)) {
    throw debError(file, `has ${control?.name ?? 'nothing'} second, expected control.tar.gz`)
  }
  if (data === undefined || !/^data\.tar(\.gz|\.zst)$/.test(data.name)) {
    throw debError(file, `has ${data?.name ?? 'nothing'} third, expected data.tar.zst or data.tar.gz`)
  }
}

function* readControl(file: string, member: ArMember): Reading<DebContents['controlFiles']> {
  if (member.sizeBytes > largestControlBytes) throw debError(file, `has a control archive of ${member.sizeBytes} bytes`)
  const files = new Map<string, { mode: number; text: string }>()
  let pieces: Uint8Array[] = []
  let open: { readonly name: string; readonly mode: number } | undefined
  const close = () => {
    if (open !== undefined) files.set(open.name, { mode: open.mode, text: Buffer.concat(pieces).toString() })
    open = undefined
    pieces = []
  }
  const reader = new TarReader({
    member: entry => {
      close()
      if (entry.type === 'file') open = { name: entry.name.slice(2), mode: entry.mode }
    },
    content: bytes => pieces.push(bytes),
  })
  const packed = yield { offset: member.offset, sizeBytes: member.sizeBytes }
  reader.push(unpack(file, member, packed))
  reader.finish()
  close()
  return files
}

function unpack(file: string, member: ArMember, bytes: Buffer): Buffer {
  const options = { maxOutputLength: largestControlBytes }
  try {
    if (member.name.endsWith('.gz')) return zlib.gunzipSync(bytes, options)
    if (member.name.endsWith('.zst')) return zlib.zstdDecompressSync(bytes, options)
    return bytes
  } catch (caught) {
    throw debError(file, `has a control archive that does not decompress: ${(caught as Error).message}`, caught)
  }
}

function fileSize(file: string): number {
  try {
    return fs.statSync(file).size
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

function debError(file: string, problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('DEB_INVALID', `${file} ${problem}`, { cause, details: { path: file } })
}
