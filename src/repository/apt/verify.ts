import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { readCleartextMessage, readKeys, verify } from 'openpgp'
import { type Digest, digestOf } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import { byHashKey } from './by-hash.ts'
import type { DebArtifact } from './control.ts'
import { packagesPath } from './packages.ts'
import type { IndexFile } from './state.ts'
import type { ReadFile } from './suite.ts'

const maxReleaseBytes = 16 * 1024 * 1024
const maxIndexBytes = 256 * 1024 * 1024

/** In the order in which they are chosen: how a form is decoded, into no more than so many bytes. */
const decoders: readonly (readonly [string, (bytes: Buffer, maxOutputLength: number) => Buffer])[] = [
  ['.zst', (bytes, maxOutputLength) => zstdDecompressSync(bytes, { maxOutputLength })],
  ['.gz', (bytes, maxOutputLength) => gunzipSync(bytes, { maxOutputLength })],
  ['', bytes => bytes],
]

/** What to look for, and whom to believe. */
export interface ListedPackage {
  readonly suite: string
  readonly component: string
  readonly deb: DebArtifact
  readonly filename: string
  /** Armoured public keys; the signature of one is enough, as it is for apt. */
  readonly aptKey: string
}

/**
 * Find a package the way that apt does: InRelease by its signature, the index by its hash in there, the package in the index.
 *
 * One of architecture `all` must be in the index of every architecture. Nothing is read or unpacked beyond what the Release file
 * says, nor beyond 256 MiB. Errors: TRUST_SIGNATURE, TRUST_MISMATCH (an index does not list the package as the record does),
 * REPOSITORY_DAMAGED.
 */
export async function verifyListed(read: ReadFile, wanted: ListedPackage): Promise<void> {
  const { suite, component, deb } = wanted
  const place = `dists/${suite}/InRelease`
  const release = await readInRelease(await read(place, maxReleaseBytes), wanted.aptKey, place)
  const architectures = deb.architecture === 'all' ? architecturesOf(release) : [deb.architecture]
  const files = listedFiles(release)
  const seen = new Set<Digest>()
  for (const architecture of architectures) {
    const path = packagesPath(component, architecture)
    const plain = files.get(path)
    if (plain === undefined) throw mismatch(`${place} does not list ${path}`)
    if (seen.has(plain.digest)) continue
    seen.add(plain.digest)
    const text = await readIndex(read, { suite, path, plain, files })
    if (!hasPackage(text, wanted))
      throw mismatch(`${path} of ${suite} does not list ${wanted.filename} with ${deb.digest}`)
  }
}

/** Read a signed text. Errors: TRUST_SIGNATURE. */
async function readInRelease(bytes: Buffer, aptKey: string, place: string): Promise<string> {
  try {
    const message = await readCleartextMessage({ cleartextMessage: bytes.toString('utf8') })
    const verificationKeys = await readKeys({ armoredKeys: aptKey })
    await verify({ message, verificationKeys, expectSigned: true })
    return message.getText()
  } catch (caught) {
    throw new ReleaseError('TRUST_SIGNATURE', `${place} is not signed by the key of the repository`, {
      cause: caught,
      details: { key: place },
    })
  }
}

function architecturesOf(release: string): readonly string[] {
  return /^Architectures: (.*)$/m.exec(release)?.[1]?.split(' ') ?? []
}

function listedFiles(release: string): ReadonlyMap<string, IndexFile> {
  const lines = release.slice(release.indexOf('\nSHA256:')).matchAll(/^ ([0-9a-f]{64}) +(\d+) (\S+)$/gm)
  return new Map(
    [...lines].map(([, hex, size, path]) => [path!, { digest: `sha256:${hex!}` as const, sizeBytes: Number(size) }]),
  )
}

async function readIndex(
  read: ReadFile,
  index: {
    readonly suite: string
    readonly path: string
    readonly plain: IndexFile
    readonly files: ReadonlyMap<string, IndexFile>
  },
): Promise<string> {
  const { plain, path } = index
  // The plain file is always listed, so that one of them is.
  const [extension, decode] = decoders.find(([each]) => index.files.has(`${path}${each}`))!
  const file = index.files.get(`${path}${extension}`)!
  if (Math.max(file.sizeBytes, plain.sizeBytes) > maxIndexBytes) throw mismatch(`${path} is longer than 256 MiB`)
  const key = byHashKey(index.suite, path, file)
  const bytes = await read(key, file.sizeBytes)
  if (digestOf(bytes) !== file.digest) throw mismatch(`${key} has ${digestOf(bytes)}`)
  const text = decoded(key, () => decode(bytes, Math.max(plain.sizeBytes, 1)))
  if (digestOf(text) !== plain.digest) throw mismatch(`${key} unpacks to other bytes than ${path}`)
  return text.toString()
}

function decoded(key: string, decode: () => Buffer): Buffer {
  try {
    return decode()
  } catch (caught) {
    throw mismatch(`${key} cannot be unpacked to the size that is listed`, caught)
  }
}

function hasPackage(text: string, { filename, deb }: ListedPackage): boolean {
  const lines = [`\nFilename: ${filename}\n`, `\nSHA256: ${deb.digest.slice('sha256:'.length)}\n`]
  return text.split('\n\n').some(stanza => lines.every(line => `\n${stanza}\n`.includes(line)))
}

function mismatch(reason: string, cause?: unknown): ReleaseError {
  return new ReleaseError('TRUST_MISMATCH', `apt would not find the package of the record: ${reason}`, {
    ...(cause === undefined ? {} : { cause }),
  })
}
