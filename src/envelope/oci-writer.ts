import fs from 'node:fs'
import path from 'node:path'
import { canonicalJson } from '../core/canonical-json.ts'
import { type Digest, digestOf } from '../core/digest.ts'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import type { OciBlob } from '../payload/release-record.ts'
import { layoutBlob } from '../registry/layout.ts'
import { imageTypes } from './oci-types.ts'
import { OutputFile } from './output.ts'
import type { TarballArtifact } from './tarball.ts'

/** What one document of an image says of another, as it stands there. */
export interface WrittenDescriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
}

/** A blob that is a file already, under any name. */
export interface BlobFile {
  readonly file: string
  readonly digest: Digest
  readonly sizeBytes: number
  readonly mediaType: string
}

/**
 * An image layout that is being written.
 *
 * Crash: a folder without `index.json`. Errors: FILE_IO, FILE_NO_SPACE, IMAGE_INVALID (a copied blob is not what its digest says).
 */
export class LayoutWriter {
  readonly #folder: string
  readonly #blobs = new Map<Digest, OciBlob>()

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Begin a layout; what is in the folder goes. */
  static create(folder: string): LayoutWriter {
    attempt(() => {
      fs.rmSync(folder, { recursive: true, force: true })
      fs.mkdirSync(path.join(folder, 'blobs', 'sha256'), { recursive: true })
    })
    return new LayoutWriter(folder)
  }

  /** Go on with a layout that is complete: blobs are added to it. */
  static open(folder: string, blobs: readonly OciBlob[]): LayoutWriter {
    const writer = new LayoutWriter(folder)
    for (const blob of blobs) writer.#blobs.set(blob.digest, blob)
    return writer
  }

  get blobs(): readonly OciBlob[] {
    return [...this.#blobs.values()]
  }

  put(bytes: Uint8Array, mediaType: string): WrittenDescriptor {
    const digest = digestOf(bytes)
    attempt(() => fs.writeFileSync(layoutBlob(this.#folder, digest), bytes))
    return this.#add({ digest, sizeBytes: bytes.byteLength, mediaType })
  }

  putJson(document: unknown, mediaType: string): WrittenDescriptor {
    return this.put(Buffer.from(canonicalJson(document)), mediaType)
  }

  /** Let a file of the release be a blob: a hard link where the file system has them, else a copy. */
  link(file: string, { digest, sizeBytes, mediaType, name }: Omit<TarballArtifact, 'kind'>): WrittenDescriptor {
    const blob = layoutBlob(this.#folder, digest)
    try {
      fs.rmSync(blob, { force: true })
      fs.linkSync(file, blob)
    } catch (caught) {
      if (!isErrno(caught, 'EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK')) throw toReleaseError(caught)
      attempt(() => fs.copyFileSync(file, blob, fs.constants.COPYFILE_FICLONE))
    }
    return this.#add({ digest, sizeBytes, mediaType, sameAs: name })
  }

  /** Copy a blob that somebody else made, digesting it on the way: never a link, for the file stays its owner's. */
  copy({ file, digest, sizeBytes, mediaType }: BlobFile): WrittenDescriptor {
    if (!this.#blobs.has(digest)) {
      const output = new OutputFile(layoutBlob(this.#folder, digest))
      try {
        output.copy(file, 0, sizeBytes)
        const written = output.finish()
        if (written.digest !== digest) throw damaged(file, `has ${written.digest}, expected ${digest}`)
      } finally {
        output.discard()
      }
    }
    return this.#add({ digest, sizeBytes, mediaType })
  }

  /** Write what makes it a layout, `index.json` last. */
  finish(entry: WrittenDescriptor, version: string): void {
    const annotations = { 'org.opencontainers.image.ref.name': version }
    const index = { schemaVersion: 2, mediaType: imageTypes.index, manifests: [{ ...entry, annotations }] }
    attempt(() => {
      fs.writeFileSync(path.join(this.#folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
      fs.writeFileSync(path.join(this.#folder, 'index.json'), canonicalJson(index))
    })
  }

  #add(blob: OciBlob): WrittenDescriptor {
    // What was linked stays so when the same bytes come in another way.
    if (this.#blobs.get(blob.digest)?.sameAs === undefined) this.#blobs.set(blob.digest, blob)
    return { mediaType: blob.mediaType, digest: blob.digest, size: blob.sizeBytes }
  }
}

function damaged(file: string, problem: string): ReleaseError {
  return new ReleaseError('IMAGE_INVALID', `${file} ${problem}`, { details: { path: file } })
}

function attempt<T>(operation: () => T): T {
  try {
    return operation()
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
