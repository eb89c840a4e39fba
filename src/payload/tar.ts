/** One member of a tar as it is written: the name with its leading `./`, folders with a trailing slash. */
export type TarEntry =
  | { readonly type: 'directory'; readonly name: string; readonly mode: number }
  | { readonly type: 'file'; readonly name: string; readonly mode: number; readonly sizeBytes: number }
  | { readonly type: 'symlink'; readonly name: string; readonly linkTarget: string }

/** The unit that tar pads to. */
export const tarBlockBytes = 512
/** The two zero blocks that end a tar. */
export const tarEndBytes = 2 * tarBlockBytes

const nameFieldBytes = 100
const typeFlags = { file: '0', symlink: '2', directory: '5', longName: 'L', longLink: 'K' } as const
/** The largest size that eleven octal digits hold; larger ones are written in base 256. */
const largestOctalSize = 8 ** 11 - 1

/** The bytes that content takes in a tar, padding included. */
export function tarPadded(sizeBytes: number): number {
  return Math.ceil(sizeBytes / tarBlockBytes) * tarBlockBytes
}

/** The bytes of a member's header with its long-name records. */
export function tarHeaderBytes(entry: TarEntry): number {
  const target = entry.type === 'symlink' ? longRecordBytes(entry.linkTarget) : 0
  return target + longRecordBytes(entry.name) + tarBlockBytes
}

/** The bytes of a whole member: header, content, padding. */
export function tarMemberBytes(entry: TarEntry): number {
  return tarHeaderBytes(entry) + (entry.type === 'file' ? tarPadded(entry.sizeBytes) : 0)
}

/**
 * Write a member's header, and return the offset after it.
 *
 * Shape: GNU format: long link targets and names in `K` and `L` records before it, sizes from 8 GiB in base 256, owner
 * root, no PAX records, for dpkg refuses those.
 * Pre: `into` has room for {@link tarHeaderBytes} from `at` on; what stands there is overwritten.
 * Source: GNU tar manual "Basic Tar Format"; deb(5); order of K before L as GNU tar 1.34 writes it.
 */
export function writeTarHeader(into: Buffer, at: number, entry: TarEntry, mtimeSeconds: number): number {
  if (entry.type === 'symlink') at = writeLongRecord(into, at, typeFlags.longLink, entry.linkTarget)
  at = writeLongRecord(into, at, typeFlags.longName, entry.name)
  return writeBlock(into, at, {
    name: entry.name,
    mode: entry.type === 'symlink' ? 0o777 : entry.mode,
    sizeBytes: entry.type === 'file' ? entry.sizeBytes : 0,
    mtimeSeconds,
    typeFlag: typeFlags[entry.type],
    linkTarget: entry.type === 'symlink' ? entry.linkTarget : '',
  })
}

function longRecordBytes(text: string): number {
  const length = Buffer.byteLength(text)
  return length <= nameFieldBytes ? 0 : tarBlockBytes + tarPadded(length + 1)
}

function writeLongRecord(into: Buffer, at: number, typeFlag: string, text: string): number {
  const length = Buffer.byteLength(text)
  if (length <= nameFieldBytes) return at
  const contentBytes = length + 1
  const header = {
    name: '././@LongLink',
    mode: 0o644,
    sizeBytes: contentBytes,
    mtimeSeconds: 0,
    typeFlag,
    linkTarget: '',
  }
  const content = writeBlock(into, at, header)
  const end = content + tarPadded(contentBytes)
  into.fill(0, content, end)
  into.write(text, content)
  return end
}

interface HeaderFields {
  readonly name: string
  readonly mode: number
  readonly sizeBytes: number
  readonly mtimeSeconds: number
  readonly typeFlag: string
  readonly linkTarget: string
}

/** What every header has alike: owner 0 with the name root, no device; spaces where the checksum will be. */
const blankHeader = Buffer.alloc(tarBlockBytes)
blankHeader.write('0000000\x000000000\x000000000\0', 100, 'latin1')
blankHeader.write('        ', 148, 'latin1')
blankHeader.write('ustar  \0root', 257, 'latin1')
blankHeader.write('root', 297, 'latin1')
/** Where the part begins that is alike in all headers, and what its bytes add to the checksum. */
const magicOffset = 257
const magicSum = blankHeader.subarray(magicOffset).reduce((sum, byte) => sum + byte, 0)

/** Twenty thousand of these are written for a large application: hence digits by hand and a checksum of what differs. */
function writeBlock(into: Buffer, at: number, fields: HeaderFields): number {
  into.set(blankHeader, at)
  writeField(into, at, fields.name)
  writeOctal(into, at + 106, fields.mode)
  writeSize(into, at + 124, fields.sizeBytes)
  writeOctal(into, at + 146, fields.mtimeSeconds, 11)
  into.write(fields.typeFlag, at + 156, 'latin1')
  writeField(into, at + 157, fields.linkTarget)
  let sum = magicSum
  for (let index = at; index < at + magicOffset; index += 1) sum += into[index]!
  writeOctal(into, at + 153, sum, 6)
  into[at + 154] = 0
  return at + tarBlockBytes
}

function writeField(into: Buffer, at: number, text: string): void {
  if (text.length * 3 <= nameFieldBytes || Buffer.byteLength(text) <= nameFieldBytes) into.write(text, at)
  // A name may end in the middle of a character here: the long record before it holds the whole.
  else into.set(Buffer.from(text).subarray(0, nameFieldBytes), at)
}

function writeSize(into: Buffer, at: number, sizeBytes: number): void {
  if (sizeBytes <= largestOctalSize) {
    writeOctal(into, at + 10, sizeBytes, 11)
    return
  }
  into[at] = 0x80
  into.writeBigUInt64BE(BigInt(sizeBytes), at + 4)
}

/** Write octal digits from the last one backwards. Pre: `lastAt` is the place of the last digit. */
function writeOctal(into: Buffer, lastAt: number, value: number, digits = 7): void {
  let rest = value
  for (let at = lastAt; at > lastAt - digits; at -= 1) {
    into[at] = 48 + (rest % 8)
    rest = Math.floor(rest / 8)
  }
}
