import fs from 'node:fs'
import path from 'node:path'
import { type Digest, Digester, digestOf, hexOf } from '../core/digest.ts'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { compareVersions, isVersion, newestVersion } from '../core/version.ts'
import { type Artifact, parseReleaseRecord, type ReleaseRecord } from '../payload/release-record.ts'
import { ociBlobKey, poolKey } from '../trust/layout.ts'
import { imageIndexType } from './oci/layout.ts'

/** A release as `cut` left it, every file of it verified. */
export interface ReadyRelease {
  readonly folder: string
  readonly record: ReleaseRecord
  readonly bytes: Buffer
  readonly digest: Digest
  readonly files: readonly ReleaseFile[]
}

/** A file of a release and the key that it is published under. */
export interface ReleaseFile {
  readonly key: string
  /** Relative to the release's folder. */
  readonly path: string
  readonly sizeBytes: number
  readonly digest: Digest
  readonly mediaType: string
}

/** Find the newest release below `dist`. Errors: RELEASE_NOT_CUT. */
export function newestCut(distFolder: string): string {
  const versions = cutVersions(distFolder)
  const newest = newestVersion(versions, { preReleases: true })
  if (newest !== undefined) return newest
  throw new ReleaseError('RELEASE_NOT_CUT', `${distFolder} holds no release`, { details: { path: distFolder } })
}

/** List the releases below `dist`, in no particular order. */
export function cutVersions(distFolder: string): readonly string[] {
  try {
    return fs
      .readdirSync(distFolder)
      .filter(name => isVersion(name) && fs.existsSync(path.join(distFolder, name, 'release.json')))
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR')) return []
    throw toReleaseError(caught)
  }
}

/** Read what a release consists of, without its files. Errors: RELEASE_NOT_CUT, RELEASE_DAMAGED, DOCUMENT_NEWER. */
export function readCutRecord(distFolder: string, version: string): ReleaseRecord {
  return parseRecord(readRecord(distFolder, version), path.join(distFolder, version))
}

/**
 * Read a release and digest every file of it.
 *
 * Errors: RELEASE_NOT_CUT, RELEASE_LOCAL, RELEASE_DAMAGED (which file, expected and found), DOCUMENT_NEWER.
 */
export async function readCut(
  distFolder: string,
  version: string,
  onFile: (name: string, done: number, total: number) => void,
): Promise<ReadyRelease> {
  const folder = path.join(distFolder, version)
  const bytes = readRecord(distFolder, version)
  const record = parseRecord(bytes, folder)
  if (record.version !== version) {
    throw new ReleaseError('RELEASE_DAMAGED', `${folder} holds the record of ${record.version}`, {
      details: { path: folder, version, found: record.version },
    })
  }
  if (record.builtHere === true) {
    throw new ReleaseError('RELEASE_LOCAL', `${record.name} ${version} in ${folder} was made for one machine alone`, {
      details: { path: folder, version },
    })
  }
  const files = filesOf(record)
  for (const [at, file] of files.entries()) {
    onFile(file.path, at, files.length)
    await assertIntact(path.join(folder, file.path), file)
  }
  return { folder, record, bytes, digest: digestOf(bytes), files }
}

/** A record of our own that cannot be read was damaged; for others it would be one not to be trusted. */
function parseRecord(bytes: Buffer, folder: string): ReleaseRecord {
  try {
    return parseReleaseRecord(bytes)
  } catch (caught) {
    const error = toReleaseError(caught)
    if (error.code !== 'RECORD_INVALID') throw error
    const file = path.join(folder, 'release.json')
    throw new ReleaseError('RELEASE_DAMAGED', `${file}: ${error.message}`, { cause: error, details: { path: file } })
  }
}

/** Say where each file of a release is in `dist` and where it goes. A layer that is the tarball is read from the tarball. */
export function filesOf(record: ReleaseRecord): readonly ReleaseFile[] {
  return record.components
    .flatMap(component => component.artifacts)
    .flatMap(artifact => artifactFiles(record, artifact))
}

function artifactFiles(record: ReleaseRecord, artifact: Artifact): readonly ReleaseFile[] {
  if (artifact.kind !== 'oci') {
    const { name, sizeBytes, digest, mediaType } = artifact
    return [{ key: poolKey(record.name, record.version, name), path: name, sizeBytes, digest, mediaType }]
  }
  const inLayout = (digest: Digest) => `${artifact.name}/blobs/sha256/${hexOf(digest)}`
  const index = { digest: artifact.digest, sizeBytes: artifact.sizeBytes, mediaType: imageIndexType, sameAs: undefined }
  return [...artifact.blobs, index].map(({ digest, sizeBytes, mediaType, sameAs }) => ({
    key: ociBlobKey(record.name, digest),
    path: sameAs ?? inLayout(digest),
    sizeBytes,
    digest,
    mediaType,
  }))
}

function readRecord(distFolder: string, version: string): Buffer {
  const file = path.join(distFolder, version, 'release.json')
  try {
    return fs.readFileSync(file)
  } catch (caught) {
    if (!isErrno(caught, 'ENOENT', 'ENOTDIR')) throw toReleaseError(caught)
    const there = cutVersions(distFolder).toSorted(compareVersions)
    const also = there.length === 0 ? 'no release' : there.join(', ')
    throw new ReleaseError('RELEASE_NOT_CUT', `${file} does not exist; ${distFolder} holds ${also}`, {
      hint: `run release cut ${version}; when its tag exists already, name the folder that it was cut to with --dist`,
      details: { path: file, version, there },
    })
  }
}

async function assertIntact(file: string, expected: ReleaseFile): Promise<void> {
  const digester = new Digester()
  try {
    for await (const piece of fs.createReadStream(file, { highWaterMark: 1024 * 1024 })) digester.update(piece)
  } catch (caught) {
    if (!isErrno(caught, 'ENOENT', 'ENOTDIR')) throw toReleaseError(caught)
    throw new ReleaseError('RELEASE_DAMAGED', `${file} is missing`, { details: { path: file } })
  }
  const found = digester.digest()
  if (found === expected.digest) return
  throw new ReleaseError('RELEASE_DAMAGED', `${file} has ${found}, its record says ${expected.digest}`, {
    details: { path: file, found, expected: expected.digest },
  })
}
