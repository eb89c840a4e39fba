import { type Digest, isDigest } from '../../core/digest.ts'
import { compareBytes } from '../../core/relative-path.ts'
import { readPiece, type ServedFolder } from '../../sys/served-folder.ts'
import { ociFolder } from '../../trust/layout.ts'
import { tagAnnotation } from '../oci/layout.ts'

/** The images of an application, as its layout lists them. */
export interface Layout {
  readonly tags: ReadonlyMap<string, Digest>
  /** In byte order, as they are listed. */
  readonly tagNames: readonly string[]
  /** Documents that may refer to others: what is listed without a tag. */
  readonly untagged: readonly Digest[]
}

/** A part of a name that is one application. Source: distribution-spec §Pulling manifests (name). */
const applicationPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const longestApplication = 128
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

/** The layouts of a repository: each is read again when another file has taken its place, and never else. */
export class Layouts {
  readonly #folder: ServedFolder
  readonly #known = new Map<string, { readonly etag: string; readonly layout: Layout }>()

  constructor(folder: ServedFolder) {
    this.#folder = folder
  }

  /** Read the layout of an application as it is now; undefined when it has none, or its name cannot be one. Errors: one that is no JSON. */
  find(application: string): Layout | undefined {
    if (!applicationPattern.test(application) || application.length > longestApplication) return undefined
    const file = this.#folder.open(`${ociFolder(application)}/index.json`)
    if (file.kind !== 'file') {
      this.#known.delete(application)
      return undefined
    }
    try {
      const known = this.#known.get(application)
      if (known?.etag === file.etag) return known.layout
      const layout = parse(readPiece(file.descriptor, 0, file.sizeBytes))
      this.#known.set(application, { etag: file.etag, layout })
      return layout
    } finally {
      file.close()
    }
  }

  /** Name the applications that have images, in byte order. */
  names(): readonly string[] {
    return this.#folder
      .list('oci')
      .filter(name => this.find(name) !== undefined)
      .toSorted(compareBytes)
  }
}

interface Listed {
  readonly digest?: unknown
  readonly annotations?: Readonly<Record<string, unknown>>
}

function parse(bytes: Buffer): Layout {
  const { manifests } = JSON.parse(bytes.toString()) as { readonly manifests: readonly Listed[] }
  const tags = new Map<string, Digest>()
  const untagged: Digest[] = []
  for (const { digest, annotations } of manifests) {
    const tag = annotations?.[tagAnnotation]
    if (!isDigest(digest)) continue
    if (tag === undefined) untagged.push(digest)
    else if (typeof tag === 'string' && tagPattern.test(tag) && !tags.has(tag)) tags.set(tag, digest)
  }
  return { tags, tagNames: [...tags.keys()].toSorted(compareBytes), untagged }
}
