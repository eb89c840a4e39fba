import fs from 'node:fs'
import zlib from 'node:zlib'
import { Parser } from 'tar'
import { isErrno } from '../core/error.ts'
import { Unreadable } from './unreadable.ts'
import { readZipMember } from './zip.ts'

const maxMetadataBytes = 4 * 1024 * 1024
/** A source distribution has its PKG-INFO near the start; what goes on for longer is something else, or a bomb. */
const maxUnpackedBytes = 64 * 1024 * 1024

/** Tell whether a file's name is that of a wheel or a source distribution. Source: PEP 427, PEP 625. */
export function isPythonArchive(path: string): boolean {
  return /\.whl$|(?:^|\/)[^/]+-\d[^/]*\.(?:tar\.gz|zip)$/.test(path)
}

/**
 * Read the metadata of a wheel or a source distribution without unpacking it; undefined when it has none and so is neither.
 *
 * Errors: Unreadable.
 */
export async function readArchiveMetadata(file: string): Promise<string | undefined> {
  if (file.endsWith('.whl')) {
    const bytes = readZipMember(file, name => /^[^/]+\.dist-info\/METADATA$/.test(name), maxMetadataBytes)
    if (bytes === undefined) throw new Unreadable('is a wheel without METADATA')
    return bytes.toString('utf8')
  }
  if (file.endsWith('.zip')) return readZipMember(file, isPackageInfo, maxMetadataBytes)?.toString('utf8')
  return await readTarMember(file)
}

function isPackageInfo(name: string): boolean {
  return /^(?:\.\/)?[^/]+\/PKG-INFO$/.test(name)
}

async function readTarMember(file: string): Promise<string | undefined> {
  const pieces: Buffer[] = []
  let isComplete = false
  const parser = new Parser({
    strict: true,
    filter: (name, entry) => isPackageInfo(name) && entry.size !== undefined && entry.size <= maxMetadataBytes,
    onReadEntry: entry => {
      entry.on('data', piece => pieces.push(piece))
      entry.on('end', () => {
        isComplete = true
      })
    },
  })
  let failure: unknown
  parser.on('error', caught => {
    failure = caught
  })
  let unpackedBytes = 0
  const unpacked = fs.createReadStream(file).pipe(zlib.createGunzip())
  try {
    for await (const piece of unpacked) {
      parser.write(piece)
      unpackedBytes += piece.byteLength
      if (failure !== undefined || isComplete || unpackedBytes > maxUnpackedBytes) break
    }
  } catch (caught) {
    if (!isErrno(caught, 'Z_DATA_ERROR', 'Z_BUF_ERROR')) throw caught
    throw new Unreadable('is not whole gzip')
  }
  if (isComplete) return Buffer.concat(pieces).toString('utf8')
  if (failure !== undefined) throw new Unreadable('is not a tar')
  return undefined
}
