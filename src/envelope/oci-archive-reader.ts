import fs from 'node:fs'
import path from 'node:path'
import type { ReadEntry } from 'tar'
import type { Digest } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { parseRelativePath } from '../core/relative-path.ts'
import { layoutBlob } from '../registry/layout.ts'
import { readRange } from './input.ts'
import { OutputFile } from './output.ts'

/** A file of an archive, unpacked under the name of its digest. */
export interface ArchivedFile {
  readonly digest: Digest
  readonly sizeBytes: number
}

/** An archive of images whose files are blobs of a layout in the making. */
export interface ImageArchive {
  /** The archive, for errors. */
  readonly file: string
  readonly folder: string
  /** Find a file by its name in the archive, through links. Errors: IMAGE_ARCHIVE_INVALID. */
  readonly find: (name: string) => ArchivedFile | undefined
  /** Make sure that the files of a layout are what their names say. Errors: IMAGE_ARCHIVE_INVALID. */
  readonly assertBlobs: () => void
}

/** No document of an archive is longer. */
const largestDocumentBytes = 4 * 1024 * 1024
const mostMembers = 20_000
const mostLinks = 16

/** Read a small file of an archive whole. Errors: IMAGE_ARCHIVE_INVALID. */
export function readDocument(archive: ImageArchive, name: string): Buffer {
  const found = archive.find(name)
  if (found === undefined) throw archiveError(archive.file, `holds no ${name}`)
  if (found.sizeBytes > largestDocumentBytes)
    throw archiveError(archive.file, `holds ${found.sizeBytes} bytes as ${name}`)
  return readRange({ file: layoutBlob(archive.folder, found.digest), offset: 0, sizeBytes: found.sizeBytes })
}

/** Make an error of an archive. */
export function archiveError(file: string, problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('IMAGE_ARCHIVE_INVALID', `${file} ${problem}`, { cause, details: { path: file } })
}

/**
 * Read an archive, every file of it becoming a blob in `FOLDER/blobs/sha256`.
 *
 * No member is ever written under its own name, so none can leave the folder. Errors: IMAGE_ARCHIVE_INVALID (no tar, broken off, members of
 * other types or twice, links outward), PATH_UNSAFE, FILE_IO, FILE_NO_SPACE.
 */
export async function readArchive(file: string, folder: string): Promise<ImageArchive> {
  const members = new Members(file, folder)
  const { Parser } = await import('tar')
  // What other readers only warn of is a reason to stop: headers with wrong checksums, truncation.
  const parser = new Parser({ strict: true, onReadEntry: entry => members.take(entry) })
  const ended = new Promise<void>(resolve => {
    parser.on('end', resolve)
    parser.on('error', caught => {
      members.fail(archiveError(file, `is no whole tar: ${(caught as Error).message}`, caught))
      resolve()
    })
  })
  try {
    for await (const piece of fs.createReadStream(file, { highWaterMark: 1024 * 1024 })) {
      parser.write(piece)
      members.assertNoFailure()
    }
    parser.end()
    await ended
    members.assertNoFailure()
    return members
  } catch (caught) {
    throw toReleaseError(caught)
  } finally {
    members.discard()
  }
}

type Member = ({ readonly kind: 'file' } & ArchivedFile) | { readonly kind: 'link'; readonly target: string }

/** The members of an archive, each file written as a blob while it comes. */
class Members implements ImageArchive {
  readonly file: string
  readonly folder: string
  readonly #members = new Map<string, Member>()
  #open: OutputFile | undefined
  #failure: unknown

  constructor(file: string, folder: string) {
    this.file = file
    this.folder = folder
  }

  readonly find = (name: string): ArchivedFile | undefined => {
    let at = name
    for (let links = 0; links <= mostLinks; links++) {
      const member = this.#members.get(at)
      if (member?.kind !== 'link') return member
      at = member.target
    }
    throw archiveError(this.file, `holds links without end at ${name}`)
  }

  /** Take the next member. Nothing is thrown here, in the middle of the parser: {@link assertNoFailure} does. */
  take(entry: ReadEntry): void {
    this.#guard(() => this.#take(entry))
    entry.resume()
  }

  fail(caught: unknown): void {
    this.#failure ??= caught
  }

  assertNoFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  readonly assertBlobs = (): void => {
    for (const [name, member] of this.#members) {
      const hex = /^blobs\/sha256\/(.*)$/.exec(name)?.[1]
      if (hex === undefined || member.kind !== 'file' || member.digest === `sha256:${hex}`) continue
      throw archiveError(this.file, `holds ${member.digest} as ${name}`)
    }
  }

  discard(): void {
    this.#open?.discard()
  }

  #take(entry: ReadEntry): void {
    const name = parseRelativePath(entry.path.replace(/^(\.\/)+(?=.)/, '').replace(/\/$/, ''))
    switch (entry.type) {
      case 'Directory':
        return
      case 'File':
      case 'OldFile':
      case 'ContiguousFile':
        this.#reserve(name)
        this.#write(name, entry)
        return
      case 'SymbolicLink':
        this.#link(name, path.posix.join(path.posix.dirname(name), entry.linkpath ?? ''), entry)
        return
      case 'Link':
        this.#link(name, path.posix.normalize(entry.linkpath ?? ''), entry)
        return
      default:
        throw archiveError(this.file, `holds ${name}, a ${entry.type}`)
    }
  }

  #write(name: string, entry: ReadEntry): void {
    const file = path.join(this.folder, 'member')
    const output = new OutputFile(file)
    this.#open = output
    entry.on('data', piece => this.#guard(() => output.write(piece)))
    entry.on('end', () =>
      this.#guard(() => {
        const { digest, sizeBytes } = output.finish()
        fs.renameSync(file, layoutBlob(this.folder, digest))
        this.#members.set(name, { kind: 'file', digest, sizeBytes })
      }),
    )
  }

  #guard(operation: () => void): void {
    if (this.#failure !== undefined) return
    try {
      operation()
    } catch (caught) {
      this.#failure = caught
    }
  }

  #link(name: string, target: string, entry: ReadEntry): void {
    this.#reserve(name)
    if (entry.linkpath === undefined || entry.linkpath.startsWith('/') || target.startsWith('..')) {
      throw archiveError(this.file, `holds ${name}, a link out of the archive`)
    }
    this.#members.set(name, { kind: 'link', target })
  }

  #reserve(name: string): void {
    if (this.#members.has(name)) throw archiveError(this.file, `holds ${name} twice`)
    if (this.#members.size >= mostMembers) throw archiveError(this.file, `holds more than ${mostMembers} files`)
  }
}
