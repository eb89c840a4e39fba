import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { execute } from '../../sys/exec.ts'
import type { IndexForm, Piece } from './forms.ts'

/** `FD 37 7A 58 5A 00`, then the flags: checks are CRC64. */
const streamFlags = Buffer.from([0x00, 0x04])
const streamHeader = Buffer.concat([Buffer.from('\xfd7zXZ\0', 'latin1'), streamFlags, checksum(streamFlags)])
const footerBytes = 12
/** Of a CRC64. */
const checkBytes = 8

/**
 * One block for each piece, in a single stream: of several streams apt reads the first and takes it for all.
 *
 * Blocks are compressed by the program xz; the stream around them is ours. A piece is a block without the
 * padding that stands before its check, for its length then is what the stream's index says of it.
 * Source: The .xz File Format 1.2.0, §2.1 (stream), §3 (block), §4 (index).
 */
export const xzForm: IndexForm = { extension: '.xz', mediaType: 'application/x-xz', compress, join, walk }

/**
 * Compress all texts in one run of xz, which begins a block where it is told to.
 *
 * Errors: EXEC_NOT_FOUND, EXEC_FAILED. Crash: a temporary folder stays behind.
 */
async function compress(texts: readonly Buffer[]): Promise<readonly Piece[]> {
  if (texts.length === 0) return []
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'release-xz-'))
  try {
    const file = path.join(folder, 'index')
    fs.writeFileSync(file, Buffer.concat(texts))
    const blocks = texts.map(text => text.byteLength).join(',')
    // One thread, for with more of them blocks have other headers.
    await execute(['xz', '-6', '--threads=1', '--check=crc64', `--block-list=${blocks}`, '--', file])
    const pieces = walk(fs.readFileSync(`${file}.xz`))
    if (pieces?.length === texts.length) return pieces
    throw new Error(`xz made ${pieces?.length ?? 'no'} blocks of ${texts.length}`)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

function join(pieces: readonly Piece[]): Buffer {
  const sizes = pieces.flatMap(({ bytes, plainSizeBytes }) => [integer(bytes.byteLength), integer(plainSizeBytes)])
  const records = Buffer.concat([Buffer.from([0]), integer(pieces.length), ...sizes])
  const index = padded(records)
  const tail = Buffer.alloc(6)
  tail.writeUInt32LE((index.byteLength + 4) / 4 - 1, 0)
  tail.set(streamFlags, 4)
  const footer = [checksum(tail), tail, Buffer.from('YZ')]
  return Buffer.concat([streamHeader, ...pieces.map(blockOf), index, checksum(index), ...footer])
}

function walk(file: Buffer): readonly Piece[] | undefined {
  if (file.byteLength < streamHeader.byteLength + footerBytes) return undefined
  const indexBytes = (file.readUInt32LE(file.byteLength - 8) + 1) * 4
  const indexAt = file.byteLength - footerBytes - indexBytes
  if (!file.subarray(0, streamHeader.byteLength).equals(streamHeader) || file[indexAt] !== 0) return undefined
  const numbers = integers(file.subarray(indexAt + 1, file.byteLength - footerBytes - 4))
  const count = numbers.next().value ?? 0
  const pieces: Piece[] = []
  let at = streamHeader.byteLength
  while (pieces.length < count) {
    const sizeBytes = numbers.next().value ?? 0
    const end = at + Math.ceil(sizeBytes / 4) * 4
    if (sizeBytes < checkBytes || end > indexAt) return undefined
    const [data, check] = [file.subarray(at, at + sizeBytes - checkBytes), file.subarray(end - checkBytes, end)]
    pieces.push({ bytes: Buffer.concat([data, check]), plainSizeBytes: numbers.next().value ?? 0 })
    at = end
  }
  return at === indexAt ? pieces : undefined
}

function blockOf({ bytes }: Piece): Buffer {
  const checkAt = bytes.byteLength - checkBytes
  return Buffer.concat([padded(bytes.subarray(0, checkAt)), bytes.subarray(checkAt)])
}

/** Source: §1.2, multibyte integers: seven bits a byte, the lowest first. */
function integer(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return Buffer.from([...bytes, rest])
}

function* integers(bytes: Buffer): Generator<number, undefined> {
  let [value, scale] = [0, 1]
  for (const byte of bytes) {
    value += (byte % 0x80) * scale
    scale *= 0x80
    if (byte >= 0x80) continue
    yield value
    ;[value, scale] = [0, 1]
  }
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.byteLength & 3)])
}

function checksum(bytes: Buffer): Buffer {
  const sum = Buffer.alloc(4)
  sum.writeUInt32LE(crc32(bytes))
  return sum
}
