import path from 'node:path'
import { type Digest, hexOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { readRange } from '../envelope/input.ts'
import type { OciArtifact } from '../envelope/oci.ts'
import type { OciBlob } from '../payload/release-record.ts'
import {
  type ComparisonContext,
  type Consequences,
  type Difference,
  type Differences,
  firstOf,
  type Pair,
} from './difference.ts'
import { compareJson } from './json.ts'

/** An image with the folder that has its `blobs/sha256`. */
export interface ImagePlace {
  readonly folder: string
  readonly artifact: OciArtifact
}

/** The limit that registries have for manifests. */
const largestDocumentBytes = 4 * 1024 * 1024

/**
 * Compare two images, from the index over manifests and configurations to the digests of their layers, then what refers to them.
 *
 * Errors: IMAGE_INVALID, FILE_IO. Source: OCI image-spec 1.1.
 */
export function compareImages(pair: Pair<ImagePlace>, context: ComparisonContext): Differences {
  const walk = new ImageWalk(pair, context.consequences)
  const { released, rebuilt } = pair
  walk.document('index', { released: released.artifact.digest, rebuilt: rebuilt.artifact.digest })
  walk.referrers()
  return firstOf(walk.differences)
}

/** Goes from document to document; each pair is looked at once. */
class ImageWalk {
  readonly #pair: Pair<ImagePlace>
  readonly #consequences: Map<string, { readonly rebuilt: string; readonly cause: string }>
  readonly #seen: Pair<Set<Digest>> = { released: new Set(), rebuilt: new Set() }
  readonly differences: Difference[] = []

  constructor(pair: Pair<ImagePlace>, consequences: Consequences) {
    this.#pair = pair
    this.#consequences = new Map(consequences)
  }

  document(where: string, digests: Pair<Digest>): void {
    this.#see(digests)
    const documents = {
      released: readDocument(this.#pair.released.folder, digests.released),
      rebuilt: readDocument(this.#pair.rebuilt.folder, digests.rebuilt),
    }
    for (const difference of compareJson({ ...documents, consequences: this.#consequences }))
      this.#take(where, difference)
    // Whatever names this document differs for that reason alone.
    this.#consequences.set(digests.released, { rebuilt: digests.rebuilt, cause: this.#pair.released.artifact.name })
  }

  /** Documents that the index does not lead to: payload manifest, bill of materials. They are set against each other in their order. */
  referrers(): void {
    const unseen = ({ artifact }: ImagePlace, seen: ReadonlySet<Digest>) =>
      artifact.blobs.filter(({ digest, mediaType }) => isDocument(mediaType) && !seen.has(digest))
    const released = unseen(this.#pair.released, this.#seen.released)
    const rebuilt = unseen(this.#pair.rebuilt, this.#seen.rebuilt)
    const without = (blobs: readonly OciBlob[], others: readonly OciBlob[]) =>
      blobs.filter(({ digest }) => !others.some(other => other.digest === digest))
    const rest = without(rebuilt, released)
    for (const [index, { digest }] of without(released, rebuilt).entries()) {
      const other = rest[index]?.digest
      if (other !== undefined) this.document(`referrer ${index + 1}`, { released: digest, rebuilt: other })
      else this.differences.push({ where: `referrer ${index + 1}`, released: digest, rebuilt: 'absent', why: '' })
    }
  }

  /** A difference of digests leads to the documents; what is no document is a layer. */
  #take(where: string, difference: Difference): void {
    const place = `${where}, ${difference.where}`
    const blob = this.#blob('released', difference.released)
    const other = this.#blob('rebuilt', difference.rebuilt)
    const isNew = blob !== undefined && !this.#seen.released.has(blob.digest)
    if (isNew && other !== undefined && isDocument(blob.mediaType) && isDocument(other.mediaType)) {
      this.document(place.replace(/\.digest$/, ''), { released: blob.digest, rebuilt: other.digest })
      return
    }
    const isLayer = blob?.mediaType.includes('.image.layer.') === true && other !== undefined
    const why =
      isLayer && difference.cause === undefined
        ? 'a layer below the payload: of the base image, which the lock file beside the recipe fixes, or its folders'
        : difference.why
    this.differences.push({ ...difference, where: place, why })
  }

  #blob(side: keyof Pair<unknown>, digest: string) {
    return this.#pair[side].artifact.blobs.find(blob => blob.digest === digest)
  }

  #see({ released, rebuilt }: Pair<Digest>): void {
    this.#seen.released.add(released)
    this.#seen.rebuilt.add(rebuilt)
  }
}

function isDocument(mediaType: string): boolean {
  return mediaType.endsWith('+json')
}

function readDocument(folder: string, digest: Digest): unknown {
  const file = path.join(folder, 'blobs', 'sha256', hexOf(digest))
  try {
    return JSON.parse(readRange({ file, offset: 0, sizeBytes: largestDocumentBytes }).toString())
  } catch (caught) {
    if (caught instanceof ReleaseError) throw caught
    throw new ReleaseError('IMAGE_INVALID', `${file} is not JSON`, { cause: caught, details: { path: file } })
  }
}
