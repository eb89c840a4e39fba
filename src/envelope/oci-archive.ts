import fs from 'node:fs'
import path from 'node:path'
import { canonicalJson } from '../core/canonical-json.ts'
import { toReleaseError } from '../core/error.ts'
import { readArchive, readDocument } from './oci-archive-reader.ts'
import { convertDockerArchive } from './oci-docker.ts'

/**
 * Unpack what `docker save`, `podman save` or skopeo wrote into an image layout: archives in OCI's or Docker's form, compressed or not.
 *
 * Post: the blobs of an archive in OCI's form have the digests that they are named by; one in Docker's form has got a manifest that depends
 * on its bytes alone, and layers as they are in it. Crash: the folder holds part of it; it is meant to be temporary.
 * Errors: IMAGE_ARCHIVE_INVALID, PATH_UNSAFE, FILE_IO, FILE_NO_SPACE.
 * Source: OCI image-spec image-layout.md; Docker image spec v1.2 §Combined Image JSON + Filesystem Changeset Format.
 */
export async function unpackArchive(file: string, folder: string): Promise<void> {
  attempt(() => fs.mkdirSync(path.join(folder, 'blobs', 'sha256'), { recursive: true }))
  const archive = await readArchive(file, folder)
  const isLayout = archive.find('oci-layout') !== undefined && archive.find('index.json') !== undefined
  if (isLayout) archive.assertBlobs()
  const marker = isLayout ? readDocument(archive, 'oci-layout') : '{"imageLayoutVersion":"1.0.0"}'
  const index = isLayout ? readDocument(archive, 'index.json') : canonicalJson(convertDockerArchive(archive))
  attempt(() => {
    fs.writeFileSync(path.join(folder, 'oci-layout'), marker)
    fs.writeFileSync(path.join(folder, 'index.json'), index)
  })
}

function attempt<T>(operation: () => T): T {
  try {
    return operation()
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
