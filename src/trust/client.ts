import fs from 'node:fs'
import path from 'node:path'
import { type Digest, digestOf, isDigest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { parseReleaseRecord, type ReleaseRecord } from '../payload/release-record.ts'
import { readJson, readTextIfExists, writeFileAtomic } from '../sys/files.ts'
import { readBytes, readPersistently, resolveUrl } from '../sys/http.ts'
import type { RetryTools } from '../sys/retry.ts'
import {
  applicationRole,
  type ChannelDocument,
  channelTarget,
  indexTarget,
  metadataFolder,
  type ReleaseIndex,
  recordKey,
  rootKey,
} from './layout.ts'
import { nearVersions, parseChannelDocument, parseReleaseIndex } from './release-index.ts'

/** A release's record as it was signed, with the digest that journals name it by. */
export interface SignedRecord {
  readonly record: ReleaseRecord
  readonly bytes: Buffer
  readonly digest: Digest
}

/** A repository seen through verified metadata. */
export interface TrustedRepository {
  /** Bring the metadata up to date. Errors: TRUST_*, HTTP_FAILED. Crash: every file of the trust folder is old or new. */
  readonly refresh: () => Promise<void>
  /** Read the list of an application's releases. Errors: RELEASE_UNKNOWN (no such application), TRUST_*, HTTP_FAILED. */
  readonly index: (application: string) => Promise<ReleaseIndex>
  /** Read what a channel of an application offers; undefined when there is no such channel. Errors: TRUST_*, HTTP_FAILED. */
  readonly channel: (application: string, channel: string) => Promise<ChannelDocument | undefined>
  /** Read the record of a release. Errors: RELEASE_UNKNOWN with the nearest versions, TRUST_*, HTTP_FAILED. */
  readonly record: (application: string, version: string) => Promise<SignedRecord>
  /** The public keys, in hex by key id, that sign for an application: its releases and what is said of them. Errors: TRUST_*, HTTP_FAILED. */
  readonly keys: (application: string) => Promise<ReadonlyMap<string, string>>
}

/** Read a root's fingerprint as people write it: `sha256:` and 64 hex digits, or these alone. Errors: USAGE. */
export function parseFingerprint(text: string): Digest {
  const digest = `sha256:${text.toLowerCase().replace(/^sha256:/, '')}`
  if (isDigest(digest)) return digest
  throw new ReleaseError('USAGE', `not a fingerprint: ${JSON.stringify(text.slice(0, 80))}`, {
    hint: 'write the 64 hex digits that `release init` printed, with or without sha256: in front',
  })
}

/** tuf-js's own limit for root metadata. */
const maxRootBytes = 512_000
/** Its limit for roots that follow each other: a server that has one more each time would be asked for ever. */
const mostRoots = 256

/**
 * Make a repository's root the one that a trust folder believes in.
 *
 * The fingerprint is the digest of a published `root.json`. Given one, the root must have it (any root of the chain will do: TUF
 * walks on from there); without one, the newest is taken as it comes, once (trust on first use), and the caller shows
 * the fingerprint. A folder that has a root keeps it.
 *
 * Errors: TRUST_PIN (another fingerprint), TRUST_SIGNATURE (the root does not sign itself), REPOSITORY_UNKNOWN, HTTP_FAILED.
 */
export async function pinRoot(options: {
  readonly folder: string
  readonly repositoryUrl: string
  readonly fingerprint?: string
}): Promise<{ readonly fingerprint: Digest }> {
  const file = path.join(options.folder, 'root.json')
  const pinFile = path.join(options.folder, 'pin')
  const pinned = readTextIfExists(pinFile)?.trim() as Digest | undefined
  if (pinned !== undefined && fs.existsSync(file)) {
    if (options.fingerprint !== undefined && options.fingerprint !== pinned) throw pinError(options, pinned)
    return { fingerprint: pinned }
  }
  const bytes = await findRoot(options.repositoryUrl, options.fingerprint)
  const { verifyRoot } = await import('./root.ts')
  verifyRoot(bytes, options.repositoryUrl)
  const fingerprint = digestOf(bytes)
  fs.mkdirSync(options.folder, { recursive: true })
  writeFileAtomic(file, bytes)
  // Last: with it the folder counts as pinned.
  writeFileAtomic(pinFile, `${fingerprint}\n`)
  return { fingerprint }
}

/**
 * Look at a repository through the metadata trusted in `folder`. Nothing is fetched before the first call.
 *
 * Pre: {@link pinRoot} was called for the folder. Errors of the calls: TRUST_ROOT when it was not.
 */
export function openRepository(options: OpenOptions): TrustedRepository {
  const { repositoryUrl } = options
  let opened: Promise<import('./updater.ts').TrustedView> | undefined
  const indexes = new Map<string, Promise<ReleaseIndex>>()
  // tuf-js fixes its reference time when it is created: a refresh asked for later needs a new view.
  const refresh = () => {
    indexes.clear()
    opened = open(options)
    return opened.then(() => undefined)
  }
  const view = () => {
    opened ??= open(options)
    return opened
  }
  const index = (application: string) => {
    const known = indexes.get(application) ?? readIndex({ ...options, view }, application)
    indexes.set(application, known)
    return known
  }
  const channel = async (application: string, name: string) => {
    const bytes = await (await view()).target(channelTarget(application, name))
    return bytes === undefined ? undefined : parseChannelDocument(bytes, application, name)
  }
  const record = async (application: string, version: string): Promise<SignedRecord> => {
    const listed = await index(application)
    const release = listed.releases.find(each => each.version === version)
    if (release === undefined) throw unknownRelease(repositoryUrl, listed, version)
    const { digest, sizeBytes } = release.record
    const url = resolveUrl(repositoryUrl, recordKey(application, version, digest))
    const bytes = await readPersistently(url, sizeBytes, signalOf(options))
    if (bytes === undefined || digestOf(bytes) !== digest) throw otherRecord(url, bytes, digest)
    const parsed = parseReleaseRecord(bytes)
    if (parsed.name !== application || parsed.version !== version) {
      throw new ReleaseError(
        'TRUST_MISMATCH',
        `the record of ${application} ${version} is one of ${parsed.name} ${parsed.version}`,
        { details: { application, version, repository: repositoryUrl } },
      )
    }
    return { record: parsed, bytes, digest }
  }
  const keys = async (application: string) => (await view()).keys(applicationRole(application))
  return { refresh, index, channel, record, keys }
}

/**
 * Read the signed list of releases, and keep it beside the metadata.
 *
 * Metadata that is out of date brings nothing new, but takes nothing away: what was read before is still what its
 * publisher signed, so a node goes on with it and hears how old it is.
 */
async function readIndex(
  options: OpenOptions & { readonly view: () => Promise<import('./updater.ts').TrustedView> },
  application: string,
): Promise<ReleaseIndex> {
  const { repositoryUrl } = options
  const kept = keptIndex(options.folder, application)
  let bytes: Buffer | undefined
  try {
    bytes = await (await options.view()).target(indexTarget(application))
  } catch (caught) {
    if (!(caught instanceof ReleaseError) || !isTolerated(options, caught) || !fs.existsSync(kept)) throw caught
    options.onStale?.(caught, fs.statSync(kept).mtimeMs)
    return parseReleaseIndex(fs.readFileSync(kept), application)
  }
  if (bytes === undefined) {
    throw new ReleaseError('RELEASE_UNKNOWN', `${repositoryUrl} has no release of ${application}`, {
      hint: 'check the name of the application and the address of the repository',
      details: { application, repository: repositoryUrl },
    })
  }
  const index = parseReleaseIndex(bytes, application)
  keepIndex(kept, bytes)
  return index
}

function isTolerated({ mayBe = 'expired', folder }: OpenOptions, { code }: ReleaseError): boolean {
  if (mayBe === 'expired') return code === 'TRUST_EXPIRED'
  if (code !== 'TRUST_ROLLBACK') return false
  const { signed } = readJson(path.join(folder, 'timestamp.json')) as { readonly signed: { readonly expires: string } }
  return Date.parse(signed.expires) > Date.now()
}

/** Its time tells when it was last found to be what is signed. */
function keepIndex(file: string, bytes: Buffer): void {
  if (readTextIfExists(file) !== bytes.toString('utf8')) writeFileAtomic(file, bytes)
  const now = new Date()
  fs.utimesSync(file, now, now)
}

/** Read the list of releases that was signed when the repository was last asked; undefined when it never was. Errors: DOCUMENT_INVALID, FILE_IO. */
export function readKnownIndex(folder: string, application: string): ReleaseIndex | undefined {
  const text = readTextIfExists(keptIndex(folder, application))
  return text === undefined ? undefined : parseReleaseIndex(Buffer.from(text), application)
}

/** When the list of releases was last found to be what is signed, in milliseconds since 1970; undefined when it never was. */
export function knownSince(folder: string, application: string): number | undefined {
  return fs.statSync(keptIndex(folder, application), { throwIfNoEntry: false })?.mtimeMs
}

const keptIndex = (folder: string, application: string) =>
  path.join(folder, `releases-${encodeURIComponent(application)}.json`)

interface OpenOptions {
  readonly folder: string
  readonly repositoryUrl: string
  readonly signal?: AbortSignal
  /** The longest wait for the next bytes, and for the whole of a file of metadata. */
  readonly idleTimeoutMs?: number
  readonly fileTimeoutMs?: number
  readonly retryTools?: RetryTools
  /**
   * What the repository's metadata may be without taking away what was known before: `expired`, for nobody may renew it (the default), or
   * `older`, for a bundle stays as it was made; then what was known must not have expired.
   */
  readonly mayBe?: 'expired' | 'older'
  /** Told when the repository's metadata is such, and what was read at `knownMs` (since 1970) is used instead. */
  readonly onStale?: (error: ReleaseError, knownMs: number) => void
}

const signalOf = ({ signal, retryTools }: OpenOptions) => ({ ...(signal === undefined ? {} : { signal }), retryTools })

function otherRecord(url: string, bytes: Buffer | undefined, expected: Digest): ReleaseError {
  const found = bytes === undefined ? 'missing' : digestOf(bytes)
  return new ReleaseError('TRUST_MISMATCH', `${url} is ${found}, expected ${expected}`, {
    details: { url, found, expected },
  })
}

async function open(options: OpenOptions) {
  // Loaded late: status and history need no TUF.
  const { openView } = await import('./updater.ts')
  const view = openView(options)
  await view.refresh()
  return view
}

async function findRoot(repositoryUrl: string, fingerprint: string | undefined): Promise<Buffer> {
  const newest = await readBytes(resolveUrl(repositoryUrl, rootKey), maxRootBytes)
  if (newest === undefined) {
    throw new ReleaseError('REPOSITORY_UNKNOWN', `${resolveUrl(repositoryUrl, rootKey)} does not exist`, {
      details: { repository: repositoryUrl },
    })
  }
  if (fingerprint === undefined || digestOf(newest) === fingerprint) return newest
  for (let version = 1; version <= mostRoots; version += 1) {
    const bytes = await readBytes(resolveUrl(repositoryUrl, `${metadataFolder}/${version}.root.json`), maxRootBytes)
    if (bytes === undefined) break
    if (digestOf(bytes) === fingerprint) return bytes
  }
  throw pinError({ repositoryUrl, fingerprint }, digestOf(newest))
}

function pinError(options: { repositoryUrl: string; fingerprint?: string }, found: string): ReleaseError {
  return new ReleaseError(
    'TRUST_PIN',
    `the root of ${options.repositoryUrl} has the fingerprint ${found}, expected ${options.fingerprint}`,
    { details: { repository: options.repositoryUrl, found, expected: options.fingerprint } },
  )
}

function unknownRelease(repositoryUrl: string, index: ReleaseIndex, version: string): ReleaseError {
  const near = nearVersions(
    index.releases.map(release => release.version),
    version,
    6,
  )
  return new ReleaseError('RELEASE_UNKNOWN', `${repositoryUrl} has no ${index.application} ${version}`, {
    hint: near.length === 0 ? 'nothing of it is published yet' : `choose one that is there, such as ${near.join(', ')}`,
    details: { application: index.application, version, near },
  })
}
