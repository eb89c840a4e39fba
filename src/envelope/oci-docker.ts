import { canonicalJson } from '../core/canonical-json.ts'
import { digestOf } from '../core/digest.ts'
import { layoutBlob } from '../registry/layout.ts'
import { readRange } from './input.ts'
import { type ArchivedFile, archiveError, type ImageArchive, readDocument } from './oci-archive-reader.ts'
import { imageTypes, type LayerCodec, layerTypeOf } from './oci-types.ts'
import { OutputFile } from './output.ts'

/** One image as `manifest.json` of an archive has it. */
interface ArchivedImage {
  readonly config: string
  readonly layers: readonly string[]
  readonly tags: readonly string[]
}

/**
 * Give the images of an archive in Docker's form manifests in OCI's, and list them by their tags.
 *
 * Shape: an `index.json`. Post: the manifests are among the blobs of the archive's folder; they depend on configuration and layers alone.
 * Errors: IMAGE_ARCHIVE_INVALID. Source: Docker image spec v1.2 §Combined Image JSON (manifest.json).
 */
export function convertDockerArchive(archive: ImageArchive): unknown {
  const manifests = readImages(archive).flatMap(image => {
    const descriptor = writeManifest(archive, image)
    const names = image.tags.map(tag => ({ annotations: { 'org.opencontainers.image.ref.name': tag } }))
    return (names.length === 0 ? [{}] : names).map(name => ({ ...descriptor, ...name }))
  })
  return { schemaVersion: 2, mediaType: imageTypes.index, manifests }
}

function writeManifest(archive: ImageArchive, { config, layers }: ArchivedImage) {
  const { digest, sizeBytes } = fileOf(archive, config)
  const document = {
    schemaVersion: 2,
    mediaType: imageTypes.manifest,
    config: { mediaType: imageTypes.config, digest, size: sizeBytes },
    layers: layers.map(name => {
      const layer = fileOf(archive, name)
      return { mediaType: layerTypeOf(codecOf(archive, layer)), digest: layer.digest, size: layer.sizeBytes }
    }),
  }
  const bytes = Buffer.from(canonicalJson(document))
  const manifest = digestOf(bytes)
  const output = new OutputFile(layoutBlob(archive.folder, manifest))
  output.write(bytes)
  output.finish()
  return { mediaType: imageTypes.manifest, digest: manifest, size: bytes.byteLength }
}

/** Docker saves plain tars; others put what they had into the same form. */
function codecOf(archive: ImageArchive, { digest }: ArchivedFile): LayerCodec {
  const magic = readRange({ file: layoutBlob(archive.folder, digest), offset: 0, sizeBytes: 4 }).toString('hex')
  if (magic.startsWith('1f8b')) return 'gzip'
  return magic === '28b52ffd' ? 'zstd' : 'none'
}

function fileOf(archive: ImageArchive, name: string): ArchivedFile {
  const found = archive.find(name)
  if (found === undefined) throw archiveError(archive.file, `names ${name}, but does not hold it`)
  return found
}

function readImages(archive: ImageArchive): readonly ArchivedImage[] {
  const images = parseList(archive)
  return images.map(value => {
    const { Config: config, Layers: layers, RepoTags: tags } = (value ?? {}) as Readonly<Record<string, unknown>>
    const isWhole = typeof config === 'string' && isTexts(layers) && (tags == null || isTexts(tags))
    if (!isWhole) throw archiveError(archive.file, 'has a manifest.json without configuration or layers')
    return { config, layers, tags: tags ?? [] }
  })
}

function parseList(archive: ImageArchive): readonly unknown[] {
  const bytes = readDocument(archive, 'manifest.json')
  try {
    const value: unknown = JSON.parse(bytes.toString())
    if (Array.isArray(value)) return value
  } catch (caught) {
    throw archiveError(archive.file, 'has a manifest.json that is not JSON', caught)
  }
  throw archiveError(archive.file, 'has a manifest.json that is no list')
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(each => typeof each === 'string')
}
