import fs from 'node:fs'
import { type Digest, digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { type Descriptor, type Platform, renderPlatform, type StoredDocument } from '../registry/document.ts'
import { layoutBlob, readLayout, readLayoutDocument } from '../registry/layout.ts'
import { isSamePlatform, walkImage } from '../registry/walk.ts'
import { readRange } from './input.ts'
import type { ImagePlatform } from './oci.ts'
import { parseStoredConfig, type StoredConfig } from './oci-stored-config.ts'
import { assertConfigType, type LayerCodec, parseLayerType } from './oci-types.ts'

/** An image that others are put on, on disk. */
export interface BaseImage {
  /** As the recipe has it. */
  readonly name: string
  /** The name under which a registry has it; absent when it came from a file. */
  readonly publicName?: string
  /** What the name stands for: an index, or the manifest of a single platform. */
  readonly digest: Digest
  readonly platforms: readonly BasePlatform[]
}

/** A base for one platform. */
export interface BasePlatform {
  readonly name: ImagePlatform
  /** The manifest's. */
  readonly digest: Digest
  readonly config: StoredConfig
  /** From the lowest up. */
  readonly layers: readonly ImageLayer[]
}

/** A layer of an image. */
export interface ImageLayer {
  readonly file: string
  readonly digest: Digest
  readonly sizeBytes: number
  /** As OCI manifests have it, whatever the base called it. */
  readonly mediaType: string
  readonly codec: LayerCodec
  /** The digest of its tar, as the configuration says it. */
  readonly diffId: Digest
}

export interface BaseOptions {
  /** An image layout. */
  readonly folder: string
  /** As the recipe has it, for errors. */
  readonly name: string
  readonly publicName?: string
  /** Which of the layout's images: a name in its index, or a digest. It has one only when absent. */
  readonly reference?: string
  readonly platforms: readonly ImagePlatform[]
}

/** The longest configuration that is read: no honest one comes near. */
const largestConfigBytes = 8 * 1024 * 1024

/**
 * Read an image layout as a base: documents, configurations and where the layers are.
 *
 * Post: every document has the digest that names it, layers have the right number and size; their bytes are digested when they are copied.
 * Errors: IMAGE_INVALID, IMAGE_UNSUPPORTED (no such image or platform, foreign layers, ONBUILD). Source: OCI image-spec 1.1.
 */
export async function readBase(options: BaseOptions): Promise<BaseImage> {
  const { folder, name, publicName, platforms } = options
  const entry = chooseEntry(options)
  const root = readLayoutDocument(folder, entry)
  const wanted = platforms.map(platformOfName)
  const { manifests } = await walkImage(root, descriptor => readLayoutDocument(folder, descriptor), wanted)
  const found = manifests.flatMap(({ stored, platform }) => {
    // An index may list other things than images, attestations among them: they say no platform.
    if (platform === undefined && root.document.kind === 'index') return []
    return [readPlatform(folder, stored, name)]
  })
  return {
    name,
    ...(publicName === undefined ? {} : { publicName }),
    digest: root.digest,
    platforms: platforms.map(each => choosePlatform(found, each, name)),
  }
}

/** Read one image of a layout: what its manifest and configuration say of its layers. Errors: those of {@link readBase}. */
export function readPlatform(folder: string, stored: StoredDocument, place: string): Omit<BasePlatform, 'name'> {
  const { document, digest } = stored
  if (document.kind !== 'manifest') throw new Error('an image of a platform is a manifest')
  assertConfigType(document.config.mediaType, place)
  const config = parseStoredConfig(readConfig(folder, document.config), `${place} ${document.config.digest}`)
  const { diffIds } = config
  if (diffIds.length !== document.layers.length) {
    throw invalid(place, `has ${document.layers.length} layers and ${diffIds.length} diff_ids`)
  }
  const layers = document.layers.map((layer, at) => locateLayer(folder, layer, { diffId: diffIds[at]!, place }))
  return { digest, config, layers }
}

function chooseEntry({ folder, name, reference }: BaseOptions): Descriptor {
  const entries = readLayout(folder)
  const names = entries.map(({ annotations, digest }) => [
    annotations['org.opencontainers.image.ref.name'],
    annotations['io.containerd.image.name'],
    digest,
  ])
  const chosen = entries.filter((_, at) => reference === undefined || names[at]!.includes(reference))
  const [first] = chosen
  // One image may stand there under several names.
  if (first !== undefined && chosen.every(({ digest }) => digest === first.digest)) return first
  const there = names.map(([tag, full, digest]) => full ?? tag ?? digest).join(', ') || 'nothing'
  const problem = reference === undefined ? 'does not say which image' : `has no image ${reference}`
  throw new ReleaseError('IMAGE_UNSUPPORTED', `${name} ${problem}; there is ${there}`, {
    hint: 'add the name of one of them behind a colon',
    details: { base: name, there },
  })
}

function choosePlatform(found: readonly Omit<BasePlatform, 'name'>[], name: ImagePlatform, base: string): BasePlatform {
  const wanted = platformOfName(name)
  const fitting = found.filter(({ config }) => isSamePlatform(config, wanted))
  // A plain one runs on every processor of the architecture; others ask for more.
  const plain = fitting.find(({ config }) => ['v1', 'v8', undefined].includes(config.variant))
  const chosen = plain ?? fitting[0]
  if (chosen !== undefined) return { name, ...chosen }
  const there = found.map(({ config }) => renderPlatform(config)).join(', ') || 'no platform'
  throw new ReleaseError('IMAGE_UNSUPPORTED', `the base ${base} has nothing for ${name}; it is for ${there}`, {
    details: { base, platform: name, there },
  })
}

function platformOfName(name: ImagePlatform): Platform {
  const [os = '', architecture = ''] = name.split('/')
  return { os, architecture }
}

function readConfig(folder: string, { digest, sizeBytes }: Descriptor): Buffer {
  const file = layoutBlob(folder, digest)
  assertBlob(file, sizeBytes)
  if (sizeBytes > largestConfigBytes) throw invalid(file, `is a configuration of ${sizeBytes} bytes`)
  const bytes = readRange({ file, offset: 0, sizeBytes })
  const found = digestOf(bytes)
  if (found !== digest) throw invalid(file, `has ${found}, expected ${digest}`)
  return bytes
}

function locateLayer(
  folder: string,
  { digest, sizeBytes, mediaType: stated }: Descriptor,
  { diffId, place }: { readonly diffId: Digest; readonly place: string },
): ImageLayer {
  const { mediaType, codec } = parseLayerType(stated, place)
  const file = layoutBlob(folder, digest)
  assertBlob(file, sizeBytes)
  return { file, digest, sizeBytes, mediaType, codec, diffId }
}

/** A pipe or device in place of a blob would be waited for. */
function assertBlob(file: string, sizeBytes: number): void {
  const stat = fs.statSync(file, { throwIfNoEntry: false })
  if (stat === undefined) throw invalid(file, 'is missing')
  if (!stat.isFile()) throw invalid(file, 'is no file')
  if (stat.size !== sizeBytes) throw invalid(file, `has ${stat.size} bytes, expected ${sizeBytes}`)
}

function invalid(place: string, problem: string): ReleaseError {
  return new ReleaseError('IMAGE_INVALID', `${place} ${problem}`, { details: { place } })
}
