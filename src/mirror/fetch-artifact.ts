import fs from 'node:fs'
import path from 'node:path'
import { digestOf } from '../core/digest.ts'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { PartFile } from '../payload/part-file.ts'
import { isInterruption } from '../payload/source.ts'
import { readWhole } from '../sys/body.ts'
import type { OpenedBody, OpenOptions } from '../sys/http.ts'
import { Perseverance } from '../sys/retry.ts'
import type { WantedArtifact } from './mirror.ts'
import type { PlacedLocation, Places } from './places.ts'

type Artifact = WantedArtifact['artifact']

/**
 * Fetch an artifact that fits into memory, from the first place that has it as it was signed.
 *
 * Errors: SEGMENT_MISSING, SEGMENT_SHORT, SEGMENT_DIGEST, HTTP_*, REGISTRY_*; the signal's reason.
 */
export async function fetchDocument(places: Places, wanted: WantedArtifact, signal?: AbortSignal): Promise<Buffer> {
  const { artifact } = wanted
  const fetchAt = (location: PlacedLocation) =>
    persevere(places, location, signal, async () => {
      const { body } = await openAt(location, signal === undefined ? {} : { signal })
      const bytes = await readWhole(body, artifact.sizeBytes, location.name)
      if (bytes.byteLength < artifact.sizeBytes) throw tooShort(location, artifact, bytes.byteLength)
      if (digestOf(bytes) !== artifact.digest) throw otherBytes(location, artifact, digestOf(bytes))
      return bytes
    })
  return await places.first(wanted, fetchAt, signal)
}

/**
 * Fetch an artifact into a file that is not there yet, and keep it for the next run as well.
 *
 * Pre: `cacheFolder` is on the file system of `file`, or it is copied. Post: the file has the digest of the record. Crash: what has come is in
 * the cache folder under that digest, and the next run goes on with it, wherever it fetches from.
 * Errors: those of {@link fetchDocument}, FILE_IO, FILE_NO_SPACE.
 */
export async function fetchFile(
  places: Places,
  wanted: WantedArtifact,
  to: { readonly file: string; readonly cacheFolder: string; readonly signal: AbortSignal },
): Promise<void> {
  const part = PartFile.open(to.cacheFolder, wanted.artifact.digest)
  try {
    if (!isWhole(part, wanted.artifact)) {
      const fetchAt = (location: PlacedLocation) =>
        persevere(places, location, to.signal, arrived => fillPart(part, wanted.artifact, { location, arrived, ...to }))
      await places.first(wanted, fetchAt, to.signal)
    }
  } finally {
    part.close()
  }
  linkFile(part.path, to.file)
}

/** Try again, from where it stopped, what breaks off. */
async function persevere<T>(
  { retryTools }: Places,
  { attempts }: PlacedLocation,
  signal: AbortSignal | undefined,
  act: (arrived: (sizeBytes: number) => void) => Promise<T>,
): Promise<T> {
  const perseverance = new Perseverance(attempts, retryTools)
  for (;;) {
    try {
      return await act(sizeBytes => perseverance.arrived(sizeBytes))
    } catch (caught) {
      if (signal?.aborted || !isInterruption(caught)) throw caught
      await perseverance.afterFailure(caught, signal)
    }
  }
}

interface Filling {
  readonly location: PlacedLocation
  readonly signal: AbortSignal
  readonly arrived: (sizeBytes: number) => void
}

async function fillPart(part: PartFile, artifact: Artifact, filling: Filling): Promise<void> {
  const { location } = filling
  const inheritedBytes = part.sizeBytes
  await append(part, artifact, filling)
  if (!isWhole(part, artifact) && inheritedBytes > 0) {
    // What another place or an earlier run left may have been what is wrong.
    part.clear()
    await append(part, artifact, filling)
  }
  if (isWhole(part, artifact)) return
  const found = part.digest()
  part.clear()
  throw otherBytes(location, artifact, found)
}

async function append(part: PartFile, artifact: Artifact, { location, signal, arrived }: Filling): Promise<void> {
  const { sizeBytes } = artifact
  if (part.sizeBytes > sizeBytes) part.clear()
  if (part.sizeBytes === sizeBytes) return
  const { status, body } = await openAt(location, { range: { start: part.sizeBytes, end: sizeBytes }, signal })
  // Who does not do ranges sends it all again.
  if (status === 200) part.clear()
  for await (const piece of body) {
    arrived(piece.byteLength)
    if (part.sizeBytes + piece.byteLength > sizeBytes) {
      throw new ReleaseError('HTTP_TOO_LARGE', `${location.name} is longer than its ${sizeBytes} bytes`, {
        details: { url: location.name, maxBytes: sizeBytes },
      })
    }
    part.write(part.sizeBytes, piece)
  }
  if (part.sizeBytes < sizeBytes) throw tooShort(location, artifact, part.sizeBytes)
}

async function openAt(location: PlacedLocation, options: OpenOptions): Promise<OpenedBody> {
  const opened = await location.open(options)
  if (opened !== undefined) return opened
  throw new ReleaseError('SEGMENT_MISSING', `${location.name} does not exist`, { details: { url: location.name } })
}

function isWhole(part: PartFile, { sizeBytes, digest }: Artifact): boolean {
  return part.sizeBytes === sizeBytes && part.digest() === digest
}

function linkFile(from: string, to: string): void {
  try {
    fs.mkdirSync(path.dirname(to), { recursive: true })
    fs.linkSync(from, to)
  } catch (caught) {
    if (!isErrno(caught, 'EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK')) throw toReleaseError(caught)
    copyFile(from, to)
  }
}

function copyFile(from: string, to: string): void {
  try {
    fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE)
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

function tooShort({ name }: PlacedLocation, { sizeBytes }: Artifact, foundBytes: number): ReleaseError {
  return new ReleaseError('SEGMENT_SHORT', `${name} ended after ${foundBytes} of ${sizeBytes} bytes`, {
    details: { url: name, expected: sizeBytes, found: foundBytes },
  })
}

function otherBytes({ name }: PlacedLocation, { digest }: Artifact, found: string): ReleaseError {
  return new ReleaseError('SEGMENT_DIGEST', `${name} sent ${found}, expected ${digest}`, {
    details: { url: name, found, expected: digest },
  })
}
