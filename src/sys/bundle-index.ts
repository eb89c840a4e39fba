import { ReleaseError } from '../core/error.ts'
import { isRelativePath } from '../core/relative-path.ts'

/** Where the content of a member stands in a tar. */
export interface BundleEntry {
  readonly start: number
  readonly sizeBytes: number
}

/** The bytes of an archive, read where they stand. Post: as many as were asked for, fewer only at its end. */
export type ReadAt = (position: number, sizeBytes: number) => Buffer

/** An archive that is read in place. */
export interface IndexedArchive {
  /** As messages name it. */
  readonly name: string
  readonly sizeBytes: number
  readonly readAt: ReadAt
}

const blockBytes = 512
/** A release has some ten files; a bundle of a hundred releases is still far from this. */
const mostEntries = 10_000
/** Each of its names has at most 255 bytes. */
const longestNameBytes = 4097
/** Tools fill a tar up to a full record. Source: GNU tar manual "Blocking Factor". */
const longestEndBytes = 1024 * 1024

/**
 * List what a tar holds, by its headers alone; content is skipped, however large.
 *
 * Post: every entry lies within the archive, and no name is there twice. Only what `release bundle` writes is read: GNU and ustar headers
 * of plain files with relative names, and zeros behind the end.
 * Errors: BUNDLE_INVALID, with the position. Source: GNU tar manual "Basic Tar Format".
 */
export function indexTar(archive: IndexedArchive): ReadonlyMap<string, BundleEntry> {
  const entries = new Map<string, BundleEntry>()
  let position = 0
  let longName: string | undefined
  for (;;) {
    const header = readHeader(archive, position)
    if (header === undefined) break
    const start = position + blockBytes
    if (header.sizeBytes > archive.sizeBytes - start) throw invalid(archive, position, 'it ends inside a file')
    position = start + Math.ceil(header.sizeBytes / blockBytes) * blockBytes
    if (header.type === 'L' && longName === undefined) {
      longName = readLongName(archive, start, header.sizeBytes)
      continue
    }
    const name = longName ?? header.name
    longName = undefined
    assertEntry(archive, start, { ...header, name }, entries)
    entries.set(name, { start, sizeBytes: header.sizeBytes })
  }
  if (longName !== undefined) throw invalid(archive, position, 'a long name has no file')
  assertEnd(archive, position)
  return entries
}

interface Header {
  readonly name: string
  readonly type: string
  readonly sizeBytes: number
}

/** Undefined at the end. */
function readHeader(archive: IndexedArchive, position: number): Header | undefined {
  const block = archive.readAt(position, blockBytes)
  if (block.byteLength < blockBytes) throw invalid(archive, position, 'it ends too early')
  if (block.every(byte => byte === 0)) return undefined
  if (block.toString('latin1', 257, 262) !== 'ustar') throw invalid(archive, position, 'there is no header of a tar')
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0)
  const expected = numberOf(block.subarray(148, 156))
  if (sum !== expected) throw invalid(archive, position, `a header has the checksum ${sum}, expected ${expected}`)
  const sizeBytes = numberOf(block.subarray(124, 136))
  if (sizeBytes === undefined) throw invalid(archive, position, 'a header has a strange size')
  return { name: nameOf(block), type: String.fromCharCode(block[156]!), sizeBytes }
}

function nameOf(block: Buffer): string {
  const name = textOf(block.subarray(0, 100))
  const isUstar = block.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = isUstar ? textOf(block.subarray(345, 500)) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

/** Octal digits, or base 256 for what these do not hold; undefined for anything else. */
function numberOf(field: Buffer): number | undefined {
  if (field[0] === 0x80) {
    const value = field.subarray(1).reduce((sum, digit) => sum * 256 + digit, 0)
    return Number.isSafeInteger(value) ? value : undefined
  }
  const digits = /^ *([0-7]+)[\0 ]*$/.exec(field.toString('latin1'))?.[1]
  return digits === undefined ? undefined : Number.parseInt(digits, 8)
}

function readLongName(archive: IndexedArchive, start: number, sizeBytes: number): string {
  if (sizeBytes > longestNameBytes) throw invalid(archive, start, `a name has ${sizeBytes} bytes`)
  return textOf(archive.readAt(start, sizeBytes))
}

function assertEntry(
  archive: IndexedArchive,
  position: number,
  { name, type }: Header,
  entries: ReadonlyMap<string, BundleEntry>,
): void {
  const shown = JSON.stringify(name.slice(0, 200))
  if (type !== '0' && type !== '\0') {
    throw invalid(archive, position, `${shown} is no plain file (type ${JSON.stringify(type)})`)
  }
  if (!isRelativePath(name)) throw invalid(archive, position, `the name ${shown} is unsafe`)
  if (entries.has(name)) throw invalid(archive, position, `${shown} is there a second time`)
  if (entries.size >= mostEntries) throw invalid(archive, position, `it has more than ${mostEntries} files`)
}

/** What stands behind the end is read by no tool, or by one and not by another. */
function assertEnd(archive: IndexedArchive, position: number): void {
  const sizeBytes = archive.sizeBytes - position
  const isZero = sizeBytes <= longestEndBytes && archive.readAt(position, sizeBytes).every(byte => byte === 0)
  if (sizeBytes < 2 * blockBytes) throw invalid(archive, position, 'it ends too early')
  if (!isZero) throw invalid(archive, position, 'something follows its end')
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end === -1 ? bytes.byteLength : end)
}

function invalid({ name }: IndexedArchive, position: number, problem: string): ReleaseError {
  return new ReleaseError('BUNDLE_INVALID', `${name} cannot be read as a bundle at byte ${position}: ${problem}`, {
    details: { path: name, position },
  })
}
