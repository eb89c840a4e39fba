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

function writeBlock(into: Buffer, at: number, fields: HeaderFields): number {
  const end = at + tarBlockBytes
  into.fill(0, at, end)
  writeField(into, at, fields.name)
  into.write(`${octal(fields.mode, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, at + 100, 'latin1')
  writeSize(into, at + 124, fields.sizeBytes)
  into.write(`${octal(fields.mtimeSeconds, 11)}\0        ${fields.typeFlag}`, at + 136, 'latin1')
  writeField(into, at + 157, fields.linkTarget)
  into.write('ustar  \0root', at + 257, 'latin1')
  into.write('root', at + 297, 'latin1')
  let sum = 0
  for (let index = at; index < end; index += 1) sum += into[index]!
  into.write(`${octal(sum, 6)}\0 `, at + 148, 'latin1')
  return end
}

function writeField(into: Buffer, at: number, text: string): void {
  // A name may end in the middle of a character here: the long record before it holds the whole.
  into.set(Buffer.from(text).subarray(0, nameFieldBytes), at)
}

function writeSize(into: Buffer, at: number, sizeBytes: number): void {
  if (sizeBytes <= largestOctalSize) {
    into.write(`${octal(sizeBytes, 11)}\0`, at, 'latin1')
    return
  }
  into[at] = 0x80
  into.writeBigUInt64BE(BigInt(sizeBytes), at + 4)
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}
