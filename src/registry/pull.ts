import fs from 'node:fs'
import path from 'node:path'
import { type Digest, Digester, hexOf } from '../core/digest.ts'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { listFiles, makeFolder, removeFile, removeTree, syncFileSystem, syncFolder } from '../sys/files.ts'
import { takeLock } from '../sys/lock.ts'
import { eachInParallel } from '../sys/parallel.ts'
import { type BlobName, downloadBlob, parallelBlobs } from './blobs.ts'
import { type ClientOptions, openClient, type RegistryClient } from './client.ts'
import type { Platform } from './document.ts'
import { isLayout, layoutBlob, readLayout, writeLayoutIndex } from './layout.ts'
import { platformOf } from './look.ts'
import { getManifest } from './manifests.ts'
import type { Reference } from './reference.ts'
import type { RegistryTools } from './retry.ts'
import { type ImageParts, isSamePlatform, platformError, walkImage } from './walk.ts'

export interface PullOptions extends Omit<ClientOptions, 'actions' | 'name'> {
  /** Without tag and digest: `latest`. */
  readonly reference: Reference
  /** All that the image has when absent. */
  readonly platforms?: readonly Platform[]
  /** The image layout to write: not there, or an image layout that is replaced. */
  readonly folder: string
  /** A folder whose blobs are shared with the layout by hard links. */
  readonly cacheFolder?: string
  readonly onProgress: (doneBytes: number, totalBytes: number) => void
}

/** Two that want the same base image at once wait for each other this long. */
const lockWaitMs = 60_000

/** An image that is in a layout now. */
export interface PulledImage {
  /** What the reference named: an index, or the manifest of a single platform. */
  readonly digest: Digest
  readonly mediaType: string
  readonly manifests: readonly { readonly platform: Platform; readonly digest: Digest }[]
  readonly blobs: readonly BlobName[]
  /** Bytes that came over the network. */
  readonly fetchedBytes: number
  /** The layout held all of it already. */
  readonly isUnchanged: boolean
}

/**
 * Pull an image into an image layout.
 *
 * Shape: `index.json` names what the reference named, under its tag. With `platforms` an index keeps its bytes and so its digest, but only the
 * blobs of those platforms are there.
 * Post: every document and blob was checked against the digest that names it; the folder is the old one or the new one, whole. Crash: a folder
 * `.NAME.pull` beside it, whose blobs the next run goes on with.
 * Errors: IMAGE_UNSUPPORTED (platforms), USAGE (the folder holds something else), LOCKED, REGISTRY_DIGEST, those of the client.
 */
export async function pullImage(options: PullOptions, tools: RegistryTools): Promise<PulledImage> {
  const folder = path.resolve(options.folder)
  assertReplaceable(folder)
  const stop = new AbortController()
  const name = { registry: options.reference.registry, repository: options.reference.repository }
  const signal = AbortSignal.any([tools.signal, stop.signal])
  const client = await openClient({ ...options, name, actions: 'pull' }, { ...tools, signal })
  const image = await findImage(client, options)
  if (await isComplete(folder, image)) return report(image, folder, options)
  const beside = path.join(path.dirname(folder), `.${path.basename(folder)}.pull`)
  using _lock = await takeLock(path.join(beside, 'lock'), { command: 'image pull', waitMs: lockWaitMs })
  // Whoever had the lock may have pulled just this.
  const isThere = await isComplete(folder, image)
  const blobs = isThere ? undefined : new BlobFolder(client, path.join(beside, 'layout'), options)
  await blobs?.finish(image, reason => stop.abort(reason))
  removeTree(beside)
  return report(image, folder, options, blobs)
}

/** Find what a reference names, and everything that belongs to it. */
async function findImage(client: RegistryClient, { reference, platforms }: PullOptions): Promise<ImageParts> {
  const root = await getManifest(client, reference.digest ?? reference.tag ?? 'latest')
  return await walkImage(root, ({ digest }) => getManifest(client, digest), platforms)
}

/** A layout that is being filled with blobs, from a cache or the registry. */
class BlobFolder {
  readonly #client: RegistryClient
  readonly #folder: string
  readonly #options: PullOptions
  readonly #doneBytes = new Map<Digest, number>()
  fetchedBytes = 0

  constructor(client: RegistryClient, folder: string, options: PullOptions) {
    this.#client = client
    this.#folder = folder
    this.#options = options
    for (const each of [folder, options.cacheFolder])
      if (each !== undefined) makeFolder(path.join(each, 'blobs', 'sha256'))
  }

  /** Fill it, make it a layout and put it where it belongs. */
  async finish(image: ImageParts, stop: (reason: unknown) => void): Promise<void> {
    await this.#fill(image, stop)
    assertPlatforms(image, this.#folder, this.#options)
    writeLayoutIndex(this.#folder, image.root, this.#options.reference.tag)
    await syncFileSystem(this.#folder)
    replaceFolder(this.#folder, path.resolve(this.#options.folder))
  }

  async #fill({ documents, blobs }: ImageParts, stop: (reason: unknown) => void): Promise<void> {
    const totalBytes = blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    this.#keepOnly([...documents, ...blobs])
    for (const { digest, bytes } of documents) this.#write(layoutBlob(this.#folder, digest), bytes)
    const largestFirst = blobs.toSorted((a, b) => b.sizeBytes - a.sizeBytes)
    await eachInParallel(largestFirst, { parallelism: parallelBlobs, stop }, async blob => {
      const progress = (doneBytes: number) => {
        this.#doneBytes.set(blob.digest, doneBytes)
        this.#options.onProgress(
          [...this.#doneBytes.values()].reduce((sum, bytes) => sum + bytes, 0),
          totalBytes,
        )
      }
      await this.#provide(blob, progress)
      progress(blob.sizeBytes)
    })
  }

  async #provide(blob: BlobName, onProgress: (doneBytes: number) => void): Promise<void> {
    const file = layoutBlob(this.#folder, blob.digest)
    // What a killed run left under its final name was complete; whether it reached the disk, its digest tells.
    if (await isIntact(file, blob)) return
    const { cacheFolder } = this.#options
    const cached = cacheFolder === undefined ? undefined : layoutBlob(cacheFolder, blob.digest)
    if (cached !== undefined && (await isIntact(cached, blob))) return linkFile(cached, file)
    const partial = `${file}.${process.pid}.part`
    await downloadBlob(this.#client, blob, partial, onProgress)
    fs.renameSync(partial, file)
    this.fetchedBytes += blob.sizeBytes
    if (cached !== undefined) linkFile(file, cached)
  }

  /** Remove what a killed run left of another image, and its unfinished downloads. */
  #keepOnly(wanted: readonly BlobName[]): void {
    const names = new Set(wanted.map(({ digest }) => hexOf(digest)))
    const folder = path.join(this.#folder, 'blobs', 'sha256')
    for (const name of listFiles(folder).filter(name => !names.has(name))) removeFile(path.join(folder, name))
  }

  #write(file: string, bytes: Buffer): void {
    try {
      fs.writeFileSync(file, bytes)
    } catch (caught) {
      throw toReleaseError(caught)
    }
  }
}

function report(image: ImageParts, folder: string, options: PullOptions, fetched?: BlobFolder): PulledImage {
  return {
    digest: image.root.digest,
    mediaType: image.root.mediaType,
    manifests: assertPlatforms(image, folder, options),
    blobs: image.blobs,
    fetchedBytes: fetched?.fetchedBytes ?? 0,
    isUnchanged: fetched === undefined,
  }
}

/** List the manifests with their platforms, for which a single manifest's configuration is asked. Errors: IMAGE_UNSUPPORTED. */
function assertPlatforms(image: ImageParts, folder: string, options: PullOptions): PulledImage['manifests'] {
  const manifests = image.manifests.flatMap(({ stored, platform }) => {
    const found = platform ?? configuredPlatform(folder, stored.document)
    return found === undefined ? [] : [{ platform: found, digest: stored.digest }]
  })
  const missing = (options.platforms ?? []).filter(
    wanted => !manifests.some(({ platform }) => isSamePlatform(platform, wanted)),
  )
  if (missing.length === 0) return manifests
  const offered = manifests.map(({ platform }) => platform)
  throw platformError(image.root, missing, offered)
}

/** The platform that a manifest's configuration names; undefined for an artifact, which has none. */
function configuredPlatform(folder: string, document: ImageParts['root']['document']): Platform | undefined {
  if (document.kind !== 'manifest') return undefined
  try {
    return platformOf(JSON.parse(fs.readFileSync(layoutBlob(folder, document.config.digest), 'utf8')))
  } catch (caught) {
    if (caught instanceof SyntaxError) return undefined
    throw toReleaseError(caught)
  }
}

async function isComplete(folder: string, { root, documents, blobs }: ImageParts): Promise<boolean> {
  if (!isLayout(folder) || !readLayout(folder).some(({ digest }) => digest === root.digest)) return false
  for (const { digest, sizeBytes } of [...documents, ...blobs]) {
    if (!(await isIntact(layoutBlob(folder, digest), { digest, sizeBytes }))) return false
  }
  return true
}

async function isIntact(file: string, { digest, sizeBytes }: BlobName): Promise<boolean> {
  if (fs.statSync(file, { throwIfNoEntry: false })?.size !== sizeBytes) return false
  const digester = new Digester()
  for await (const piece of fs.createReadStream(file, { highWaterMark: 1024 * 1024 })) digester.update(piece)
  return digester.digest() === digest
}

function linkFile(from: string, to: string): void {
  try {
    fs.rmSync(to, { force: true })
    fs.linkSync(from, to)
  } catch (caught) {
    // Another run put the same blob there in this moment.
    if (isErrno(caught, 'EEXIST')) return
    if (!isErrno(caught, 'EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK')) throw toReleaseError(caught)
    fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE)
  }
}

function assertReplaceable(folder: string): void {
  const names = fs.existsSync(folder) ? fs.readdirSync(folder) : []
  if (names.length === 0 || isLayout(folder)) return
  throw new ReleaseError('USAGE', `${folder} holds something else than an image layout`, {
    hint: 'name a folder that does not exist',
    details: { path: folder },
  })
}

/** Put a finished folder where another may be. Between the two renames there is none, and never a mixture. */
function replaceFolder(staging: string, folder: string): void {
  const old = `${staging}.old`
  removeTree(old)
  try {
    if (fs.existsSync(folder)) fs.renameSync(folder, old)
    fs.renameSync(staging, folder)
    syncFolder(path.dirname(folder))
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
