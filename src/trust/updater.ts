import fs from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import type { Metadata, Root, Snapshot, TargetFile, Timestamp } from '@tufjs/models'
import { type Fetcher, Updater, type UpdaterOptions } from 'tuf-js'
import { DownloadHTTPError } from 'tuf-js/dist/error.js'
import { TrustedMetadataStore } from 'tuf-js/dist/store.js'
import { digestOf, isDigest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { writeFileAtomic } from '../sys/files.ts'
import { readPersistently, resolveUrl } from '../sys/http.ts'
import type { RetryTools } from '../sys/retry.ts'
import { trustError } from './failure.ts'
import { metadataFolder, targetKey } from './layout.ts'
import { roleKeys } from './role-keys.ts'

/*
 * tuf-js decides what is trusted; this file gives it our transport and our disk. Two things of it do not fit a server that may
 * lose power: it writes metadata in place (a torn root.json would lock the prefix out for good), and it flattens the error
 * of snapshot and targets into text, of which nothing can be decided. Both sit behind members that its types call private,
 * so they are named here once, and a test holds that tuf-js still has them.
 */

/** The members of tuf-js's Updater that are replaced here. */
interface UpdaterInside {
  readonly dir: string
  trustedSet: TrustedMetadataStore
  loadLocalMetadata(role: string): Buffer
  persistMetadata(role: string, bytes: Buffer): void
  refresh(): Promise<void>
  getTargetInfo(target: string): Promise<TargetFile | undefined>
}

const OpenUpdater = Updater as unknown as new (options: UpdaterOptions) => UpdaterInside

/** Remembers the last thing that went wrong below tuf-js, with its class. */
class Witness {
  last: unknown

  watch<T>(act: () => T): T {
    try {
      return act()
    } catch (caught) {
      this.last = caught
      throw caught
    }
  }

  async watchAsync<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (caught) {
      this.last = caught
      throw caught
    }
  }
}

class WitnessedStore extends TrustedMetadataStore {
  readonly #witness: Witness

  constructor(root: Buffer, witness: Witness) {
    super(root)
    this.#witness = witness
  }

  override updateRoot(bytes: Buffer): Metadata<Root> {
    return this.#witness.watch(() => super.updateRoot(bytes))
  }

  override updateTimestamp(bytes: Buffer): Metadata<Timestamp> {
    return this.#witness.watch(() => super.updateTimestamp(bytes))
  }

  override updateSnapshot(bytes: Buffer, trusted?: boolean): Metadata<Snapshot> {
    return this.#witness.watch(() => super.updateSnapshot(bytes, trusted))
  }

  override updateDelegatedTargets(bytes: Buffer, role: string, delegator: string): void {
    this.#witness.watch(() => super.updateDelegatedTargets(bytes, role, delegator))
  }
}

class DurableUpdater extends OpenUpdater {
  readonly #witness: Witness

  constructor(options: UpdaterOptions, witness: Witness) {
    super(options)
    this.#witness = witness
    this.trustedSet = new WitnessedStore(this.loadLocalMetadata('root'), witness)
  }

  override loadLocalMetadata(role: string): Buffer {
    return fs.readFileSync(metadataFile(this.dir, role))
  }

  override persistMetadata(role: string, bytes: Buffer): void {
    this.#witness.watch(() => writeFileAtomic(metadataFile(this.dir, role), bytes))
  }
}

/** One verified look at a repository: metadata is fetched once, at the first call. */
export interface TrustedView {
  /** Bring the metadata up to date and verify it. Errors: TRUST_*, HTTP_FAILED. Crash: every file is old or new. */
  readonly refresh: () => Promise<void>
  /** Fetch a target and verify it; undefined when no role lists it. Errors: TRUST_*, HTTP_FAILED. */
  readonly target: (target: string) => Promise<Buffer | undefined>
  /** The public keys of a delegated role, as {@link roleKeys}. Pre: refreshed. */
  readonly keys: (role: string) => ReadonlyMap<string, string>
}

/** How long a server may take, so that a slow one cannot hold an installation up for ever. */
export interface Patience {
  readonly signal?: AbortSignal | undefined
  /** The longest wait for the next bytes. */
  readonly idleTimeoutMs?: number | undefined
  /** The longest time that one file of metadata, a few megabytes at most, may take. */
  readonly fileTimeoutMs?: number | undefined
  readonly retryTools?: RetryTools | undefined
}

const defaultFileTimeoutMs = 600_000

/** Open a view on the metadata trusted in `folder`. Pre: `root.json` is there. Errors: TRUST_ROOT. */
export function openView(options: { readonly folder: string; readonly repositoryUrl: string } & Patience): TrustedView {
  const { folder, repositoryUrl } = options
  const witness = new Witness()
  const updater = createUpdater(folder, repositoryUrl, witness, options)
  const verified = async <T>(act: () => Promise<T>): Promise<T> => {
    witness.last = undefined
    try {
      return await act()
    } catch (caught) {
      if (caught instanceof ReleaseError) throw caught
      throw trustError(witness.last ?? caught, repositoryUrl)
    }
  }
  return {
    refresh: () => verified(() => updater.refresh()),
    target: target =>
      verified(async () => {
        const info = await updater.getTargetInfo(target)
        return info === undefined ? undefined : await fetchTarget(info, repositoryUrl, options)
      }),
    keys: role => roleKeys(updater.trustedSet.targets?.signed.delegations, role),
  }
}

function createUpdater(folder: string, repositoryUrl: string, witness: Witness, patience: Patience): DurableUpdater {
  const options = {
    metadataDir: folder,
    metadataBaseUrl: resolveUrl(repositoryUrl, metadataFolder),
    fetcher: createFetcher(witness, patience),
  }
  try {
    return new DurableUpdater(options, witness)
  } catch (caught) {
    const file = metadataFile(folder, 'root')
    throw new ReleaseError('TRUST_ROOT', `${file} is missing or cannot be used: ${(caught as Error).message}`, {
      cause: caught,
      details: { path: file },
    })
  }
}

/** Only `downloadBytes` is there: the rest of the interface serves Updater.downloadTarget, which {@link fetchTarget} replaces. */
function createFetcher(witness: Witness, patience: Patience): Fetcher {
  const fetcher: Pick<Fetcher, 'downloadBytes'> = {
    downloadBytes: (url, maxBytes) =>
      witness.watchAsync(async () => {
        const bytes = await readOrForbidden(url, maxBytes, patience)
        if (bytes === undefined) throw new DownloadHTTPError(`${url} does not exist`, 404)
        return bytes
      }),
  }
  return fetcher as Fetcher
}

/** Object stores answer 403 for what does not exist, and TUF §5.3.3 reads both as "no newer root". */
async function readOrForbidden(url: string, maxBytes: number, patience: Patience) {
  try {
    return await readPersistently(url, maxBytes, limitsOf(patience))
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.details.status === 403) return undefined
    throw caught
  }
}

async function fetchTarget(info: TargetFile, repositoryUrl: string, patience: Patience): Promise<Buffer> {
  const digest = `sha256:${info.hashes.sha256}`
  if (!isDigest(digest))
    throw new ReleaseError('TRUST_METADATA', `the target ${info.path} is listed without its SHA-256`)
  const url = resolveUrl(repositoryUrl, targetKey(info.path, digest))
  const bytes = await readPersistently(url, info.length, limitsOf(patience))
  if (bytes === undefined) {
    throw new ReleaseError('TRUST_METADATA', `${url} is signed for but does not exist`, { details: { url } })
  }
  if (bytes.byteLength !== info.length) {
    throw new ReleaseError(
      'TRUST_MISMATCH',
      `${url} has ${bytes.byteLength} bytes and ${digestOf(bytes)}, expected ${info.length} and ${digest}`,
      { details: { url } },
    )
  }
  await info.verify(Readable.from([bytes]))
  return bytes
}

/** A byte now and then is no progress either: each file has its time. */
function limitsOf({ signal, idleTimeoutMs, fileTimeoutMs = defaultFileTimeoutMs, retryTools }: Patience) {
  const late = AbortSignal.timeout(fileTimeoutMs)
  const idle = idleTimeoutMs === undefined ? {} : { idleTimeoutMs }
  return { signal: signal === undefined ? late : AbortSignal.any([signal, late]), ...idle, retryTools }
}

/** Role names come from signed metadata and may hold any character. */
const metadataFile = (folder: string, role: string) => path.join(folder, `${encodeURIComponent(role)}.json`)
