import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Archiver, EntryData } from 'archiver'
import { type Digest, Digester } from '../core/digest.ts'
import { toReleaseError } from '../core/error.ts'
import type { CommittedFile } from './scratch.ts'

/** An archive of the sources, written. */
export interface SourceArchive {
  readonly name: string
  readonly sizeBytes: number
  readonly digest: Digest
  readonly mediaType: string
}

export interface SourceArchiveOptions {
  /** A checkout of the release's tree; files in it that are not listed are left out. */
  readonly checkout: string
  readonly files: readonly CommittedFile[]
  /** Name and version of the application: the archives' names and their one top folder. */
  readonly name: string
  readonly version: string
  readonly timeSeconds: number
  /** Where the archives go. */
  readonly folder: string
}

/** What archiver takes for a link, though its types do not say so. */
type Entry = EntryData & { readonly linkname?: string }

/**
 * Write the sources as `.tar.gz` and `.zip`, as people and distributions take them.
 *
 * Post: the bytes depend on the files, their executable bits and `timeSeconds` only; memory is bounded by the largest file.
 * Errors: FILE_IO, FILE_NO_SPACE.
 */
export async function writeSourceArchives(options: SourceArchiveOptions): Promise<readonly SourceArchive[]> {
  // Loaded late: the library and its streams are wanted here only.
  const { TarArchive, ZipArchive } = await import('archiver')
  const base = `${options.name}-${options.version}-source`
  const tarball = new TarArchive({ gzip: true, gzipOptions: { level: 9 } })
  const zip = new ZipArchive({ zlib: { level: 9 } })
  return [
    await writeArchive(tarball, { ...options, file: `${base}.tar.gz`, mediaType: 'application/gzip' }),
    await writeArchive(zip, { ...options, file: `${base}.zip`, mediaType: 'application/zip' }),
  ]
}

async function writeArchive(
  archive: Archiver,
  options: SourceArchiveOptions & { readonly file: string; readonly mediaType: string },
): Promise<SourceArchive> {
  const digester = new Digester()
  const output = pipeline(
    archive,
    async function* (source: AsyncIterable<Buffer>) {
      for await (const bytes of source) {
        digester.update(bytes)
        yield bytes
      }
    },
    fs.createWriteStream(path.join(options.folder, options.file)),
  )
  try {
    await Promise.all([addEntries(archive, options, output), output])
  } catch (caught) {
    archive.abort()
    throw toReleaseError(caught)
  }
  return { name: options.file, sizeBytes: digester.sizeBytes, digest: digester.digest(), mediaType: options.mediaType }
}

/** One entry after the other: archiver reads several at once, and their order would be that of the disk. */
async function addEntries(archive: Archiver, options: SourceArchiveOptions, output: Promise<void>): Promise<void> {
  for (const file of options.files) {
    const added = once(archive, 'entry')
    const place = path.join(options.checkout, file.path)
    const { content, entry } = readEntry(place, file)
    const name = `${options.name}-${options.version}/${file.path}`
    const data: Entry = { ...entry, name, date: new Date(options.timeSeconds * 1000) }
    archive.append(content, data)
    // A full disk ends the output, and then no entry is ever added.
    await Promise.race([added, output])
  }
  await archive.finalize()
}

function readEntry(
  place: string,
  file: CommittedFile,
): { readonly content: Buffer; readonly entry: Omit<Entry, 'name'> } {
  if (file.mode === '120000')
    return { content: Buffer.alloc(0), entry: { type: 'symlink', linkname: fs.readlinkSync(place), mode: 0o777 } }
  return { content: fs.readFileSync(place), entry: { type: 'file', mode: file.mode === '100755' ? 0o755 : 0o644 } }
}
