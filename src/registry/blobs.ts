import fs from 'node:fs'
import { type Digest, Digester } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { longestAttempts } from '../sys/retry.ts'
import type { RegistryAnswer, RegistryClient } from './client.ts'
import { isPassing, pause } from './retry.ts'

/** How many blobs are moved at once: enough to keep a line busy, few enough to be polite. */
export const parallelBlobs = 4

/** A blob as a descriptor names it. */
export interface BlobName {
  readonly digest: Digest
  readonly sizeBytes: number
}

/** Told how much of a blob has been moved so far; less than before when some has to be moved again. */
export type OnProgress = (doneBytes: number) => void

/**
 * Tell whether a registry has a blob.
 *
 * Errors: REGISTRY_DIGEST when it has one of another size under that digest. Source: distribution-spec §Checking if content exists.
 */
export async function hasBlob(client: RegistryClient, { digest, sizeBytes }: BlobName): Promise<boolean> {
  const what = `look for blob ${digest}`
  const answer = await client.send({ method: 'HEAD', to: `blobs/${digest}`, what, expect: [200, 404] })
  await answer.finish()
  if (answer.status === 404) return false
  // Some answer a HEAD without a length: then there is nothing to compare.
  const length = answer.header('content-length')
  if (length === undefined || Number(length) === sizeBytes) return true
  throw new ReleaseError('REGISTRY_DIGEST', `blob ${digest} has ${length} bytes, expected ${sizeBytes}`, {
    details: { digest, expected: sizeBytes, found: Number(length), registry: client.name.registry },
  })
}

/**
 * Fetch a blob into a new file, going on by range where a connection was cut.
 *
 * Post: the file has exactly the bytes of the digest; on an error there is no file. A body that goes on beyond the size is cut off.
 * Errors: REGISTRY_DIGEST, REGISTRY_UNKNOWN, HTTP_FAILED (no progress after several attempts), FILE_IO, FILE_NO_SPACE.
 * Source: distribution-spec §Pulling blobs (Range), RFC 9110 §14.
 */
export async function downloadBlob(
  client: RegistryClient,
  blob: BlobName,
  file: string,
  onProgress: OnProgress,
): Promise<void> {
  const download = new Download(blob, file, onProgress)
  try {
    let failures = 0
    while (!download.isComplete) {
      const before = download.doneBytes
      try {
        await receive(client, blob, download)
      } catch (caught) {
        if (download.doneBytes > before) failures = 0
        failures += 1
        if (failures >= longestAttempts || !isPassing(caught, client.tools.signal)) throw caught
        await pause(client.tools, failures)
      }
    }
    download.verify(client.name.registry)
  } catch (caught) {
    download.close()
    fs.rmSync(file, { force: true })
    throw toReleaseError(caught)
  }
  download.close()
}

/**
 * Fetch a blob only to see that it has the bytes of its digest.
 *
 * Errors: REGISTRY_DIGEST, REGISTRY_UNKNOWN, HTTP_FAILED (cut off again and again), those of {@link RegistryClient.send}.
 */
export async function proveBlob(client: RegistryClient, { digest, sizeBytes }: BlobName): Promise<void> {
  for (let failures = 1; ; failures += 1) {
    try {
      const what = `read back blob ${digest}`
      const answer = await client.send({ method: 'GET', to: `blobs/${digest}`, what, expect: [200] })
      const digester = new Digester()
      for await (const piece of answer.body) {
        if (digester.update(piece).sizeBytes > sizeBytes) break
      }
      if (digester.sizeBytes < sizeBytes) throw endedEarly({ digest, sizeBytes }, digester.sizeBytes)
      return assertDigest(digester.digest(), digest, client.name.registry)
    } catch (caught) {
      if (failures >= longestAttempts || !isPassing(caught, client.tools.signal)) throw caught
      await pause(client.tools, failures)
    }
  }
}

function endedEarly({ digest, sizeBytes }: BlobName, doneBytes: number): ReleaseError {
  return new ReleaseError('HTTP_FAILED', `blob ${digest} ended after ${doneBytes} of ${sizeBytes} bytes`, {
    details: { digest, expected: sizeBytes, found: doneBytes },
  })
}

function assertDigest(found: Digest, expected: Digest, registry: string): void {
  if (found === expected) return
  throw new ReleaseError('REGISTRY_DIGEST', `${registry} sent ${found} as blob ${expected}`, {
    details: { expected, found, registry },
  })
}

async function receive(client: RegistryClient, { digest, sizeBytes }: BlobName, download: Download): Promise<void> {
  const from = download.doneBytes
  const answer = await client.send({
    method: 'GET',
    to: `blobs/${digest}`,
    what: `get blob ${digest}`,
    expect: from === 0 ? [200] : [200, 206],
    headers: from === 0 ? {} : { range: `bytes=${from}-${sizeBytes - 1}` },
    // Beyond the first byte it is this function's caller that counts attempts: progress starts the count anew.
    ...(from === 0 ? {} : { attempts: 1 }),
  })
  // Who does not do ranges sends the whole again.
  if (from > 0 && answer.status === 200) download.restart()
  if (answer.status === 206 && rangeStart(answer) !== from) {
    await answer.finish()
    // The next attempt asks for the whole, which this registry may be better at.
    download.restart()
    throw new ReleaseError('HTTP_FAILED', `blob ${digest} came from another place than byte ${from}`, {
      details: { digest, registry: client.name.registry },
    })
  }
  for await (const piece of answer.body) download.write(piece, client.name.registry)
  if (!download.isComplete) throw endedEarly({ digest, sizeBytes }, download.doneBytes)
}

function rangeStart(answer: RegistryAnswer): number | undefined {
  const match = /^bytes (\d+)-/.exec(answer.header('content-range') ?? '')
  return match === null ? undefined : Number(match[1])
}

/** A file that grows, and the digest of what is in it. */
class Download {
  readonly #blob: BlobName
  readonly #descriptor: number
  readonly #onProgress: OnProgress
  #digester = new Digester()

  constructor(blob: BlobName, file: string, onProgress: OnProgress) {
    this.#blob = blob
    this.#onProgress = onProgress
    this.#descriptor = fs.openSync(file, 'w', 0o644)
  }

  get doneBytes(): number {
    return this.#digester.sizeBytes
  }

  get isComplete(): boolean {
    return this.doneBytes === this.#blob.sizeBytes
  }

  write(piece: Uint8Array, registry: string): void {
    const { digest, sizeBytes } = this.#blob
    if (this.doneBytes + piece.byteLength > sizeBytes) {
      throw new ReleaseError('REGISTRY_DIGEST', `blob ${digest} goes on beyond its ${sizeBytes} bytes`, {
        details: { digest, expected: sizeBytes, registry },
      })
    }
    for (let at = 0; at < piece.byteLength; ) {
      at += fs.writeSync(this.#descriptor, piece, at, piece.byteLength - at, this.doneBytes + at)
    }
    this.#digester.update(piece)
    this.#onProgress(this.doneBytes)
  }

  restart(): void {
    fs.ftruncateSync(this.#descriptor, 0)
    this.#digester = new Digester()
  }

  verify(registry: string): void {
    assertDigest(this.#digester.digest(), this.#blob.digest, registry)
  }

  close(): void {
    fs.closeSync(this.#descriptor)
  }
}
