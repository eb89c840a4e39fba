import type { Digest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import {
  type Descriptor,
  deepestNesting,
  isDocumentType,
  type Platform,
  renderPlatform,
  type StoredDocument,
} from './document.ts'

/** An image with everything that belongs to it. */
export interface ImageParts {
  readonly root: StoredDocument
  /** All documents, each after those that it lists: the root is the last. */
  readonly documents: readonly StoredDocument[]
  /** Configurations and layers, each once. */
  readonly blobs: readonly Descriptor[]
  /** The manifests of platforms that were found, in the order of the index. */
  readonly manifests: readonly PlatformManifest[]
}

/** The manifest of one platform. A manifest that no index lists says its platform in its configuration only. */
export interface PlatformManifest {
  readonly stored: StoredDocument
  readonly platform: Platform | undefined
}

/** No image has more documents than this on purpose. */
const mostDocuments = 1000

/**
 * Find everything that belongs to an image, for all platforms or some.
 *
 * Pre: `load` hands back the document of exactly the descriptor's digest. Errors: IMAGE_UNSUPPORTED (no manifest for a platform; other kinds of
 * content), IMAGE_INVALID, those of `load`.
 */
export async function walkImage(
  root: StoredDocument,
  load: (descriptor: Descriptor) => Promise<StoredDocument> | StoredDocument,
  platforms: readonly Platform[] | undefined,
): Promise<ImageParts> {
  const documents = new Map<Digest, StoredDocument>()
  const blobs = new Map<Digest, Descriptor>()
  const manifests: PlatformManifest[] = []
  const visit = async (stored: StoredDocument, platform: Platform | undefined, depth: number): Promise<void> => {
    if (documents.has(stored.digest)) return
    const { document } = stored
    if (document.kind === 'manifest') {
      for (const blob of [document.config, ...document.layers]) addBlob(blobs, blob)
      manifests.push({ stored, platform })
    } else {
      for (const entry of document.manifests) {
        if (!isWanted(entry, platforms)) continue
        if (depth >= deepestNesting || documents.size >= mostDocuments) throw endless(root)
        await visit(await loadSized(entry, load), entry.platform, depth + 1)
      }
    }
    documents.set(stored.digest, stored)
  }
  await visit(root, undefined, 0)
  assertFound(root, manifests, platforms)
  return { root, documents: [...documents.values()], blobs: [...blobs.values()], manifests }
}

/** Tell whether a platform is one that was asked for; without a variant any will do. Source: image-spec image-index.md, `variant`. */
export function isSamePlatform(found: Platform, wanted: Platform): boolean {
  if (found.os !== wanted.os || found.architecture !== wanted.architecture) return false
  return wanted.variant === undefined || usualVariant(found) === usualVariant(wanted)
}

/** Read `OS/ARCHITECTURE[/VARIANT]`. Errors: USAGE. */
export function parsePlatform(text: string): Platform {
  const match = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/.exec(text)
  if (match === null) {
    throw new ReleaseError('USAGE', `${JSON.stringify(text.slice(0, 80))} is not a platform`, {
      hint: 'write it as linux/amd64, linux/arm64 or linux/arm/v7',
    })
  }
  const [, os = '', architecture = '', variant] = match
  return { os, architecture, ...(variant === undefined ? {} : { variant }) }
}

function usualVariant({ architecture, variant }: Platform): string | undefined {
  // What every processor of an architecture has is mostly left unsaid.
  if (variant === undefined) return architecture === 'arm64' ? 'v8' : architecture === 'arm' ? 'v7' : undefined
  return variant
}

/** An entry of an index without a platform may be anything, an index of its own among it. */
function isWanted(entry: Descriptor, platforms: readonly Platform[] | undefined): boolean {
  const { platform } = entry
  if (platforms === undefined || platform === undefined) return true
  return platforms.some(wanted => isSamePlatform(platform, wanted))
}

async function loadSized(
  entry: Descriptor,
  load: (descriptor: Descriptor) => Promise<StoredDocument> | StoredDocument,
): Promise<StoredDocument> {
  if (!isDocumentType(entry.mediaType)) {
    throw new ReleaseError('IMAGE_UNSUPPORTED', `an index lists ${entry.digest} of the type ${entry.mediaType}`, {
      details: { digest: entry.digest, mediaType: entry.mediaType },
    })
  }
  const stored = await load(entry)
  if (stored.sizeBytes === entry.sizeBytes && stored.mediaType === entry.mediaType) return stored
  throw new ReleaseError(
    'IMAGE_INVALID',
    `${entry.digest} is ${stored.mediaType} of ${stored.sizeBytes} bytes, but is listed as ${entry.mediaType} of ${entry.sizeBytes}`,
    { details: { digest: entry.digest } },
  )
}

function addBlob(blobs: Map<Digest, Descriptor>, blob: Descriptor): void {
  const known = blobs.get(blob.digest)
  if (known === undefined) blobs.set(blob.digest, blob)
  else if (known.sizeBytes !== blob.sizeBytes) {
    throw new ReleaseError('IMAGE_INVALID', `${blob.digest} is listed with two sizes`, {
      details: { digest: blob.digest },
    })
  }
}

function assertFound(
  root: StoredDocument,
  manifests: readonly PlatformManifest[],
  platforms: readonly Platform[] | undefined,
): void {
  // A manifest that stands alone tells its platform in its configuration, which its reader has to look at.
  if (platforms === undefined || root.document.kind === 'manifest') return
  const missing = platforms.filter(
    wanted => !manifests.some(({ platform }) => platform !== undefined && isSamePlatform(platform, wanted)),
  )
  if (missing.length === 0) return
  const offered = root.document.manifests.flatMap(({ platform }) => (platform === undefined ? [] : [platform]))
  throw platformError(root, missing, offered)
}

/** Word that an image has nothing for some platforms. */
export function platformError(
  { digest }: StoredDocument,
  missing: readonly Platform[],
  offered: readonly Platform[],
): ReleaseError {
  const [wanted, there] = [missing.map(renderPlatform), offered.map(renderPlatform)]
  return new ReleaseError(
    'IMAGE_UNSUPPORTED',
    `the image has nothing for ${wanted.join(', ')}; it is for ${there.join(', ') || 'no platform'}`,
    { details: { digest, missing: wanted, offered: there } },
  )
}

function endless(root: StoredDocument): ReleaseError {
  return new ReleaseError('IMAGE_INVALID', `${root.digest} lists documents without end`, {
    details: { digest: root.digest },
  })
}
