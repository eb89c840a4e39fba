import { canonicalJson } from '../core/canonical-json.ts'
import { type Digest, hexOf } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { readAnswer } from '../sys/exchange.ts'
import type { RegistryClient } from './client.ts'
import {
  type Descriptor,
  largestDocumentBytes,
  mediaTypes,
  parseDescriptor,
  parseDocument,
  renderDescriptor,
} from './document.ts'
import { putManifest } from './manifests.ts'
import { pause } from './retry.ts'
import { pages } from './tags.ts'

/** Two that write the same list at once go on after each other; more rounds than this say that something else is wrong. */
const mostRounds = 8

/**
 * List what refers to an image: by the registry's own list, else by the tag that stands in for one.
 *
 * Errors: IMAGE_INVALID, REGISTRY_PROTOCOL, those of {@link RegistryClient.send}. Source: distribution-spec §Listing referrers.
 */
export async function listReferrers(client: RegistryClient, subject: Digest): Promise<readonly Descriptor[]> {
  return (await listedByRegistry(client, subject)) ?? (await readFallback(client, subject)).referrers
}

/**
 * Make sure that everybody finds the referrers of an image.
 *
 * A registry that named the subject in its answer (OCI-Subject) lists them itself. Otherwise, as for every registry from before 1.1, the
 * index at the tag `sha256-HEX` is read and written with the missing ones, on condition of its ETag where the registry has one, and read
 * back, for another may have written in between.
 *
 * Pre: the manifests are there. `isListed` says of each whether the registry named its subject just now; undefined when it was there already.
 * Post: true when the tag was written. Errors: REGISTRY_UNAVAILABLE (others write all the time), IMAGE_INVALID.
 * Source: distribution-spec §Pushing manifests with subject, §Referrers tag schema.
 */
export async function ensureReferrers(
  client: RegistryClient,
  subject: Digest,
  referrers: readonly { readonly descriptor: Descriptor; readonly isListed: boolean | undefined }[],
): Promise<boolean> {
  const listed = referrers.some(({ isListed }) => isListed === undefined)
    ? new Set((await listedByRegistry(client, subject))?.map(({ digest }) => digest))
    : new Set<Digest>()
  const missing = referrers
    .filter(({ descriptor, isListed }) => !(isListed ?? listed.has(descriptor.digest)))
    .map(({ descriptor }) => descriptor)
  return missing.length > 0 && (await addToFallback(client, subject, missing))
}

/** The registry's own list; undefined when it keeps none. */
async function listedByRegistry(client: RegistryClient, subject: Digest): Promise<readonly Descriptor[] | undefined> {
  const found: Descriptor[] = []
  const what = `list referrers of ${subject}`
  // 400, 404, 405 and 406 are the answers of those that do not know this list; some answer everything with a page for people.
  for await (const { answer, page } of pages(client, `referrers/${subject}`, what, [200, 400, 404, 405, 406])) {
    const type = answer.header('content-type')?.split(';')[0]?.trim()
    if (answer.status !== 200 || type !== mediaTypes.index) return undefined
    const { manifests } = page as { readonly manifests?: unknown }
    if (!Array.isArray(manifests)) return undefined
    found.push(...manifests.map(manifest => parseDescriptor(manifest, what)))
  }
  return found
}

interface Fallback {
  readonly referrers: readonly Descriptor[]
  /** The same as they stand there: what others wrote is kept to the last member. */
  readonly entries: readonly unknown[]
  readonly etag: string | undefined
}

function fallbackTag(subject: Digest): string {
  return `sha256-${hexOf(subject)}`
}

async function readFallback(client: RegistryClient, subject: Digest): Promise<Fallback> {
  const tag = fallbackTag(subject)
  const answer = await client.send({
    method: 'GET',
    to: `manifests/${tag}`,
    what: `get the referrers of ${subject}`,
    expect: [200, 404],
    headers: { accept: mediaTypes.index },
  })
  if (answer.status === 404) {
    await answer.finish()
    return { referrers: [], entries: [], etag: undefined }
  }
  const place = `${client.name.registry}/${client.name.repository}:${tag}`
  const { document, bytes } = parseDocument(
    await readAnswer(answer, largestDocumentBytes, place),
    answer.header('content-type')?.split(';')[0]?.trim() ?? '',
    place,
  )
  if (document.kind === 'index') {
    const { manifests } = JSON.parse(bytes.toString()) as { readonly manifests: readonly unknown[] }
    return { referrers: document.manifests, entries: manifests, etag: answer.header('etag') }
  }
  throw new ReleaseError('IMAGE_INVALID', `${place} should list referrers and is a manifest`, { details: { place } })
}

async function addToFallback(client: RegistryClient, subject: Digest, wanted: readonly Descriptor[]): Promise<boolean> {
  let isWritten = false
  for (let round = 1; round <= mostRounds; round += 1) {
    const { referrers, entries, etag } = await readFallback(client, subject)
    const there = new Set(referrers.map(({ digest }) => digest))
    const missing = wanted.filter(({ digest }) => !there.has(digest))
    if (missing.length === 0) return isWritten
    if (round > 1) await pause(client.tools, round - 1)
    isWritten =
      (await writeFallback(client, subject, [...entries, ...missing.map(renderDescriptor)], etag)) || isWritten
  }
  throw new ReleaseError(
    'REGISTRY_UNAVAILABLE',
    `the referrers of ${subject} cannot be listed: others write them, too`,
    {
      details: { digest: subject, registry: client.name.registry },
    },
  )
}

/** Write the list; false when it is another one by now. */
async function writeFallback(
  client: RegistryClient,
  subject: Digest,
  entries: readonly unknown[],
  etag: string | undefined,
): Promise<boolean> {
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: entries }
  const stored = parseDocument(Buffer.from(canonicalJson(index)), mediaTypes.index, fallbackTag(subject))
  try {
    await putManifest(client, fallbackTag(subject), stored, etag === undefined ? {} : { 'if-match': etag })
    return true
  } catch (caught) {
    if (toReleaseError(caught).details['status'] === 412) return false
    throw caught
  }
}
