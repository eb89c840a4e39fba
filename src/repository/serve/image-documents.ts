import { type Digest, digestOf } from '../../core/digest.ts'
import { largestDocumentBytes, parseDocument, type StoredDocument } from '../../registry/document.ts'
import type { ServedFolder } from '../../sys/served-folder.ts'
import { ociBlobKey } from '../../trust/layout.ts'

/** What has to be known of a manifest or index to answer for it. */
export interface ImageDocument {
  readonly mediaType: string
  readonly digest: Digest
  readonly sizeBytes: number
  readonly artifactType: string | undefined
  readonly subject: Digest | undefined
  readonly annotations: Readonly<Record<string, string>>
}

/** How many are remembered: with its annotations one takes about a kilobyte. */
const mostDocuments = 50_000

/** The manifests and indexes among the blobs of images. They never change, so that each is read once. */
export class ImageDocuments {
  readonly #folder: ServedFolder
  readonly #known = new Map<string, ImageDocument>()

  constructor(folder: ServedFolder) {
    this.#folder = folder
  }

  /** Look at a document; undefined for what is none, and for a file that has other bytes than its name says. */
  find(application: string, digest: Digest): ImageDocument | undefined {
    const key = ociBlobKey(application, digest)
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const bytes = this.#folder.read(key, largestDocumentBytes)
    if (bytes === undefined || digestOf(bytes) !== digest) return undefined
    const document = parse(bytes)
    if (document !== undefined) this.#remember(key, document)
    return document
  }

  #remember(key: string, document: ImageDocument): void {
    const oldest = this.#known.size < mostDocuments ? undefined : this.#known.keys().next().value
    if (oldest !== undefined) this.#known.delete(oldest)
    this.#known.set(key, document)
  }
}

/** A blob may be anything. */
function parse(bytes: Buffer): ImageDocument | undefined {
  let stored: StoredDocument
  try {
    const { mediaType } = JSON.parse(bytes.toString()) as { readonly mediaType?: unknown }
    if (typeof mediaType !== 'string') return undefined
    stored = parseDocument(bytes, mediaType, 'a blob')
  } catch {
    return undefined
  }
  const { document, mediaType, digest, sizeBytes } = stored
  const configured = document.kind === 'manifest' ? document.config.mediaType : undefined
  return {
    mediaType,
    digest,
    sizeBytes,
    artifactType: document.artifactType ?? configured,
    subject: document.subject?.digest,
    annotations: document.annotations,
  }
}
