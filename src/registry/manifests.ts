import { type Digest, isDigest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { readAnswer } from '../sys/exchange.ts'
import type { RegistryAnswer, RegistryClient } from './client.ts'
import { largestDocumentBytes, mediaTypes, parseDocument, type StoredDocument } from './document.ts'

/** What a registry says of a manifest without sending it. A claim: only bytes prove a digest. */
export interface ManifestClaim {
  readonly digest: Digest | undefined
  readonly mediaType: string | undefined
}

const accept = { accept: Object.values(mediaTypes).join(', ') }

/**
 * Fetch an index or manifest by tag or digest.
 *
 * Post: the bytes as they are stored, of the digest that was asked for and that the registry names. Errors: REGISTRY_UNKNOWN,
 * REGISTRY_DIGEST, IMAGE_INVALID, IMAGE_UNSUPPORTED, HTTP_TOO_LARGE, those of {@link RegistryClient.send}.
 * Source: distribution-spec §Pulling manifests.
 */
export async function getManifest(client: RegistryClient, wanted: string): Promise<StoredDocument> {
  const what = `get manifest ${wanted}`
  const answer = await client.send({ method: 'GET', to: `manifests/${wanted}`, what, expect: [200], headers: accept })
  const place = `${client.name.registry}/${client.name.repository} ${wanted}`
  const bytes = await readAnswer(answer, largestDocumentBytes, place)
  const stored = parseDocument(bytes, typeOf(answer) ?? '', place)
  const claimed = digestHeader(answer)
  for (const expected of [isDigest(wanted) ? wanted : undefined, claimed]) {
    if (expected === undefined || expected === stored.digest) continue
    throw new ReleaseError('REGISTRY_DIGEST', `${place} has ${stored.digest}, expected ${expected}`, {
      details: { expected, found: stored.digest, registry: client.name.registry },
    })
  }
  return stored
}

/** Ask for a manifest's digest and type; undefined when there is none. Source: distribution-spec §Checking if content exists. */
export async function headManifest(client: RegistryClient, wanted: string): Promise<ManifestClaim | undefined> {
  const what = `look for manifest ${wanted}`
  const request = { method: 'HEAD', to: `manifests/${wanted}`, what, expect: [200, 404], headers: accept } as const
  const answer = await client.send(request)
  await answer.finish()
  if (answer.status === 404) return undefined
  return { digest: digestHeader(answer), mediaType: typeOf(answer) }
}

/**
 * Store a manifest under a tag or its digest, byte by byte.
 *
 * Pre: its blobs and the manifests that it lists are there. Post: `isSubjectKnown` tells that the registry lists it as a referrer itself.
 * Errors: REGISTRY_DIGEST (stored as something else), REGISTRY_REFUSED.
 * Source: distribution-spec §Pushing manifests, §Pushing manifests with subject (OCI-Subject).
 */
export async function putManifest(
  client: RegistryClient,
  name: string,
  stored: StoredDocument,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly isSubjectKnown: boolean }> {
  const answer = await client.send({
    method: 'PUT',
    to: `manifests/${name}`,
    what: `put manifest ${name}`,
    // Some answer an unchanged manifest with 200 or 202.
    expect: [200, 201, 202],
    headers: { ...headers, 'content-type': stored.mediaType },
    body: stored.bytes,
  })
  await answer.finish()
  const claimed = digestHeader(answer)
  if (claimed !== undefined && claimed !== stored.digest) {
    throw new ReleaseError('REGISTRY_DIGEST', `manifest ${name} was stored as ${claimed}, expected ${stored.digest}`, {
      details: { expected: stored.digest, found: claimed, registry: client.name.registry },
    })
  }
  return { isSubjectKnown: answer.header('oci-subject') !== undefined }
}

function typeOf(answer: RegistryAnswer): string | undefined {
  return answer.header('content-type')?.split(';')[0]?.trim().toLowerCase()
}

function digestHeader(answer: RegistryAnswer): Digest | undefined {
  const digest = answer.header('docker-content-digest')
  return isDigest(digest) ? digest : undefined
}
