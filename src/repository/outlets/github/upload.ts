import fs from 'node:fs'
import type { RestEndpointMethodTypes } from '@octokit/rest'
import { isDigest } from '../../../core/digest.ts'
import { ReleaseError, toReleaseError } from '../../../core/error.ts'
import { eachInParallel } from '../../../sys/parallel.ts'
import type { PlannedAsset } from './assets.ts'
import { type GithubClient, isAnswer } from './client.ts'
import { AssetBody } from './fetch.ts'
import type { GithubRelease } from './releases.ts'

/** An asset as GitHub tells of it. */
type GithubAsset = RestEndpointMethodTypes['repos']['listReleaseAssets']['response']['data'][number]

const pageSize = 100
const mostPages = 20
/** GitHub wants requests one after the other; large files take long enough to be worth more. */
const parallelUploads = 3
const pieceBytes = 1024 * 1024

/** What is known of the assets of one release, and what was brought there. */
export interface AssetsOptions {
  readonly client: GithubClient
  /** The outlet, as receipts name it. */
  readonly outlet: string
  readonly release: GithubRelease
  readonly planned: readonly PlannedAsset[]
}

/**
 * Bring all assets of a draft there.
 *
 * What is there with the same bytes is kept. What was only begun (state `starter`), has other bytes, or belongs to no file of the release was left
 * by an upload of something never published, and goes.
 * Post: the draft has exactly the planned assets, each with the bytes of its digest; the number of bytes that were sent.
 * Errors: REPOSITORY_DAMAGED (other bytes arrived), RELEASE_DAMAGED, those of {@link GithubClient.once}. Crash: run again.
 */
export async function uploadAssets(options: AssetsOptions): Promise<number> {
  const { client, planned, release } = options
  const wanted = new Set(planned.map(({ name }) => name))
  const found = await listAssets(client, release)
  for (const asset of found) if (!wanted.has(asset.name)) await removeAsset(client, asset)
  const progress = new Progress(planned, client)
  const stop = new AbortController()
  // The largest first: beside them the small ones cost no time of their own.
  const ordered = planned.toSorted((a, b) => b.sizeBytes - a.sizeBytes || (a.name < b.name ? -1 : 1))
  const lanes = { parallelism: parallelUploads, stop: (reason: unknown) => stop.abort(reason) }
  await eachInParallel(ordered, lanes, async asset => {
    stop.signal.throwIfAborted()
    await ensureAsset(options, asset, { there: found.find(({ name }) => name === asset.name), progress })
  })
  await assertAssets(options)
  return progress.sentBytes
}

/**
 * Check that a release has every planned asset with the bytes of its digest.
 *
 * Errors: REPOSITORY_DAMAGED with the first that it has not.
 */
export async function assertAssets(options: AssetsOptions): Promise<void> {
  const { client, release, planned } = options
  const found = new Map((await listAssets(client, release)).map(asset => [asset.name, asset]))
  for (const asset of planned) {
    const there = found.get(asset.name)
    if (there !== undefined && (await isIntact(options, asset, there))) continue
    const what = there === undefined ? 'is missing' : `is not ${asset.digest}`
    throw new ReleaseError('REPOSITORY_DAMAGED', `${asset.name} ${what} in ${release.html_url}`, {
      details: {
        asset: asset.name,
        url: release.html_url,
        found: there?.digest ?? there?.state,
        expected: asset.digest,
      },
    })
  }
}

async function listAssets(client: GithubClient, { id }: GithubRelease): Promise<readonly GithubAsset[]> {
  const assets: GithubAsset[] = []
  for (let page = 1; page <= mostPages; page += 1) {
    const listed = await client.call('list assets', ({ rest }) =>
      rest.repos.listReleaseAssets({ ...client.path, release_id: id, per_page: pageSize, page }),
    )
    assets.push(...listed)
    if (listed.length < pageSize) break
  }
  return assets
}

/** How an asset stands when its turn comes. */
interface Turn {
  readonly there: GithubAsset | undefined
  readonly progress: Progress
}

async function ensureAsset(options: AssetsOptions, asset: PlannedAsset, { there, progress }: Turn): Promise<void> {
  const { client, release } = options
  let known: GithubAsset | 'unknown' | undefined = there
  await client.retrying(async () => {
    if (known === 'unknown') known = (await listAssets(client, release)).find(({ name }) => name === asset.name)
    if (known !== undefined) {
      if (await isIntact(options, asset, known)) return
      await removeAsset(client, known)
    }
    // From here on only GitHub knows what is there.
    known = 'unknown'
    await uploadAsset(options, asset, progress)
  })
  progress.move(asset, asset.sizeBytes)
}

async function uploadAsset({ client, outlet, release }: AssetsOptions, asset: PlannedAsset, progress: Progress) {
  const { name, label, digest, sizeBytes, mediaType } = asset
  try {
    const made = await client.once(`upload ${name}`, octokit =>
      octokit.request(`POST ${release.upload_url}`, {
        name,
        label,
        headers: { 'content-type': mediaType },
        data: new AssetBody(sizeBytes, () => pieces(client, asset, progress)),
      }),
    )
    const remoteId = String((made as GithubAsset).id)
    client.tools.receipts.add({
      outlet,
      action: 'asset-uploaded',
      subject: assetSubject(release, name),
      digest,
      remoteId,
    })
  } catch (caught) {
    // A draft that was made just now, or an asset whose upload ended without an answer, need not be known everywhere yet.
    const isEarly = isAnswer(caught, 404) || isAnswer(caught, 422, 'already_exists')
    if (!isEarly) throw caught
    throw new ReleaseError('GITHUB_UNAVAILABLE', caught.message, { cause: caught, details: caught.details })
  }
  progress.sentBytes += sizeBytes
}

async function* pieces(client: GithubClient, asset: PlannedAsset, progress: Progress): AsyncGenerator<Uint8Array> {
  let doneBytes = 0
  const { bandwidth, signal } = client.tools
  const read = readPieces(asset)
  for await (const piece of bandwidth?.limit(read, signal) ?? read) {
    yield piece
    doneBytes += piece.byteLength
    progress.move(asset, doneBytes)
  }
}

async function* readPieces({ source, sizeBytes, label }: PlannedAsset): AsyncGenerator<Uint8Array> {
  if (source.kind === 'memory') {
    yield source.bytes
    return
  }
  let doneBytes = 0
  try {
    for await (const piece of fs.createReadStream(source.path, { highWaterMark: pieceBytes })) {
      doneBytes += (piece as Uint8Array).byteLength
      // A length was promised: more would be taken for the next request.
      if (doneBytes > sizeBytes) break
      yield piece as Uint8Array
    }
  } catch (caught) {
    throw toReleaseError(caught)
  }
  if (doneBytes === sizeBytes) return
  throw new ReleaseError('RELEASE_DAMAGED', `${source.path} has not the ${sizeBytes} bytes that the record says`, {
    details: { path: source.path, asset: label, expected: sizeBytes },
  })
}

/** Tell whether an asset has the bytes that it should. Old servers name no digest: then it is fetched, once. */
async function isIntact(
  { client, outlet, release }: AssetsOptions,
  { name, digest, sizeBytes }: PlannedAsset,
  there: GithubAsset,
): Promise<boolean> {
  if (there.state !== 'uploaded' || there.size !== sizeBytes) return false
  if (isDigest(there.digest)) return there.digest === digest
  const receipt = {
    outlet,
    action: 'asset-proved',
    subject: assetSubject(release, name),
    digest,
    remoteId: String(there.id),
  }
  const before = client.tools.receipts.find(outlet, receipt.action, receipt.subject)
  if (before?.digest === digest && before.remoteId === receipt.remoteId) return true
  if ((await client.digestAsset(there.id, sizeBytes)) !== digest) return false
  client.tools.receipts.add(receipt)
  return true
}

const assetSubject = ({ tag_name: tag }: GithubRelease, name: string) => `${tag}/${name}`

async function removeAsset(client: GithubClient, { id, name }: GithubAsset): Promise<void> {
  try {
    await client.call(`remove asset ${name}`, ({ rest }) =>
      rest.repos.deleteReleaseAsset({ ...client.path, asset_id: id }),
    )
  } catch (caught) {
    // An earlier attempt whose answer got lost, or a server that cleans up after itself.
    if (!isAnswer(caught, 404)) throw caught
  }
}

/** How much of all assets is there. */
class Progress {
  readonly #client: GithubClient
  readonly #totalBytes: number
  readonly #doneBytes = new Map<string, number>()
  sentBytes = 0

  constructor(planned: readonly PlannedAsset[], client: GithubClient) {
    this.#client = client
    this.#totalBytes = planned.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }

  move({ name }: PlannedAsset, doneBytes: number): void {
    this.#doneBytes.set(name, doneBytes)
    const sum = [...this.#doneBytes.values()].reduce((total, bytes) => total + bytes, 0)
    this.#client.tools.onProgress(sum, this.#totalBytes)
  }
}
