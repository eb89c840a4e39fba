import fs from 'node:fs'
import zlib from 'node:zlib'
import { toReleaseError } from '../core/error.ts'
import { Unreadable } from './unreadable.ts'

const endRecord = { signature: 0x06054b50, sizeBytes: 22, commentBytes: 0xffff }
const centralRecord = { signature: 0x02014b50, sizeBytes: 46 }
const localRecord = { signature: 0x04034b50, sizeBytes: 30 }
const maxDirectoryBytes = 32 * 1024 * 1024
const stored = 0
const deflated = 8

/** A member as the central directory lists it. */
interface Member {
  readonly name: string
  /** As on Unix; 0 where the archive came from elsewhere. */
  readonly mode: number
  /** Date and time of MS-DOS, as they stand there. */
  readonly dosDate: number
  readonly dosTime: number
  readonly method: number
  readonly sizeBytes: number
  readonly packedBytes: number
  readonly headerAt: number
}

/**
 * Read the first member of a zip whose name fits; undefined when there is none.
 *
 * Only what the central directory lists counts, as for pip; nothing is unpacked to disk. Zip64, encryption and methods other than
 * deflate do not occur in wheels. Errors: Unreadable, FILE_IO. Source: PKWARE APPNOTE 6.3, §4.3.
 */
export function readZipMember(file: string, fits: (name: string) => boolean, maxBytes: number): Buffer | undefined {
  const descriptor = openFile(file)
  try {
    const read = reader(descriptor)
    const member = listMembers(read).find(({ name }) => fits(name))
    return member === undefined ? undefined : readMember(read, member, maxBytes)
  } finally {
    fs.closeSync(descriptor)
  }
}

/** A member with its content, unpacked. */
export interface ZipMember extends Pick<Member, 'name' | 'mode' | 'dosDate' | 'dosTime'> {
  readonly content: Buffer
}

/** Read one member after the other, as the central directory lists them, each in memory alone. Errors: those of {@link readZipMember}. */
export function* readZipMembers(file: string, maxBytes: number): Generator<ZipMember> {
  const descriptor = openFile(file)
  try {
    const read = reader(descriptor)
    for (const member of listMembers(read)) yield { ...member, content: readMember(read, member, maxBytes) }
  } finally {
    fs.closeSync(descriptor)
  }
}

interface Read {
  readonly sizeBytes: number
  readonly at: (offset: number, sizeBytes: number) => Buffer
}

function reader(descriptor: number): Read {
  const { size: sizeBytes } = fs.fstatSync(descriptor)
  const at = (offset: number, length: number) => {
    if (offset < 0 || offset + length > sizeBytes) throw new Unreadable('is a zip with an offset outside of it')
    const bytes = Buffer.alloc(length)
    if (fs.readSync(descriptor, bytes, 0, length, offset) < length) throw new Unreadable('is a zip that ends early')
    return bytes
  }
  return { sizeBytes, at }
}

function listMembers(read: Read): readonly Member[] {
  const tail = read.at(
    Math.max(0, read.sizeBytes - endRecord.sizeBytes - endRecord.commentBytes),
    Math.min(read.sizeBytes, endRecord.sizeBytes + endRecord.commentBytes),
  )
  const end = lastEndRecord(tail)
  const sizeBytes = tail.readUInt32LE(end + 12)
  if (sizeBytes > maxDirectoryBytes) throw new Unreadable('is a zip with too long a directory')
  const directory = read.at(tail.readUInt32LE(end + 16), sizeBytes)
  const members: Member[] = []
  for (let at = 0; at + centralRecord.sizeBytes <= directory.byteLength; ) {
    if (directory.readUInt32LE(at) !== centralRecord.signature) throw new Unreadable('is a zip with a broken directory')
    const nameBytes = directory.readUInt16LE(at + 28)
    const next = at + centralRecord.sizeBytes + nameBytes
    members.push({
      name: directory.toString('utf8', at + centralRecord.sizeBytes, next),
      method: directory.readUInt16LE(at + 10),
      dosTime: directory.readUInt16LE(at + 12),
      dosDate: directory.readUInt16LE(at + 14),
      packedBytes: directory.readUInt32LE(at + 20),
      sizeBytes: directory.readUInt32LE(at + 24),
      mode: directory.readUInt16LE(at + 40),
      headerAt: directory.readUInt32LE(at + 42),
    })
    at = next + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
  }
  return members
}

function lastEndRecord(tail: Buffer): number {
  for (let at = tail.byteLength - endRecord.sizeBytes; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) === endRecord.signature) return at
  }
  throw new Unreadable('is not a zip')
}

function readMember(read: Read, member: Member, maxBytes: number): Buffer {
  if (member.sizeBytes > maxBytes || member.packedBytes > maxBytes)
    throw new Unreadable(`has a member larger than ${maxBytes} bytes`)
  const header = read.at(member.headerAt, localRecord.sizeBytes)
  if (header.readUInt32LE(0) !== localRecord.signature) throw new Unreadable('is a zip with a broken member')
  const contentAt = member.headerAt + localRecord.sizeBytes + header.readUInt16LE(26) + header.readUInt16LE(28)
  const packed = read.at(contentAt, member.packedBytes)
  if (member.method === stored) return packed
  if (member.method !== deflated) throw new Unreadable(`is a zip with the method ${member.method}`)
  try {
    return zlib.inflateRawSync(packed, { maxOutputLength: maxBytes })
  } catch {
    throw new Unreadable('is a zip with a member that does not unpack')
  }
}

function openFile(file: string): number {
  try {
    return fs.openSync(file, 'r')
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
