import type { Digest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { rootFolders } from '../payload/entry.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import { readLayout, readLayoutDocument } from '../registry/layout.ts'
import { walkImage } from '../registry/walk.ts'
import { fileDigest } from './input.ts'
import { accountFiles, assertAccounts } from './oci-accounts.ts'
import { type BasePlatform, type ImageLayer, readPlatform } from './oci-base.ts'
import { type LayerEntry, type ReadLayer, readLayer, stackLayers } from './oci-layer.ts'

type Platform = Omit<BasePlatform, 'name'>

/**
 * Read an image layout back: every document by its digest, every layer of the base whole, and the payload as the last layer.
 *
 * `provePayload` reads the file of a payload layer that is not among `proven`.
 * Errors: ENVELOPE_MISMATCH (other payload), IMAGE_INVALID, IMAGE_USER, IMAGE_BASE_PATH. Source: OCI image-spec 1.1.
 */
export async function proveImage(
  folder: string,
  { manifest, proven }: { readonly manifest: PayloadManifest; readonly proven: ReadonlySet<Digest> },
  provePayload: (file: string) => Promise<unknown>,
): Promise<void> {
  const [entry] = readLayout(folder)
  if (entry === undefined) throw new ReleaseError('IMAGE_INVALID', `${folder} lists no image`)
  const { manifests } = await walkImage(
    readLayoutDocument(folder, entry),
    descriptor => readLayoutDocument(folder, descriptor),
    undefined,
  )
  const payloads = new Set<Digest>()
  const platforms = manifests.map(({ stored }) => readPlatform(folder, stored, folder))
  const volumes = platforms.flatMap(({ config }) => config.volumes.map(volume => volume.slice(1)))
  const folders = payloadFolders(manifest)
  const layers = new LayerCache([...Object.values(accountFiles), ...folders, ...volumes, ...volumes.flatMap(above)])
  for (const platform of platforms) {
    const payload = payloadLayer(folder, platform, manifest)
    if (!payloads.has(payload.digest)) await provePayloadLayer(payload, proven, provePayload)
    payloads.add(payload.digest)
    const below: ReadLayer[] = []
    for (const layer of platform.layers.slice(0, -1)) below.push(await layers.read(layer))
    const files = stackLayers(below)
    // Our own layer of volumes is directly below the payload, and names no folders above them.
    const made = volumes.filter(volume => below.at(-1)?.entries.get(volume)?.kind === 'folder')
    assertFolders(folder, [...folders, ...made.flatMap(above)], files)
    assertAccounts(platform.config.user ?? 'root', files, folder)
  }
}

/** Layers that platforms have in common are read once. */
class LayerCache {
  readonly #paths: ReadonlySet<string>
  readonly #read = new Map<string, ReadLayer>()

  constructor(paths: readonly string[]) {
    this.#paths = new Set(paths)
  }

  async read(layer: ImageLayer): Promise<ReadLayer> {
    const key = `${layer.digest} ${layer.diffId}`
    const read = this.#read.get(key) ?? (await readLayer(layer, path => this.#paths.has(path)))
    this.#read.set(key, read)
    return read
  }
}

function payloadLayer(folder: string, { layers }: Platform, manifest: PayloadManifest): ImageLayer {
  const last = layers.at(-1)
  if (last?.diffId === manifest.tar.digest) return last
  const found = last === undefined ? 'no layer' : `the diff_id ${last.diffId}`
  throw mismatch(folder, `ends with ${found}, expected ${manifest.tar.digest}`)
}

async function provePayloadLayer(
  { file, digest }: ImageLayer,
  proven: ReadonlySet<Digest>,
  provePayload: (file: string) => Promise<unknown>,
): Promise<void> {
  const found = fileDigest(file)
  if (found !== digest) throw mismatch(file, `has ${found}, expected ${digest}`)
  if (!proven.has(digest)) await provePayload(file)
}

/** The folders that the payload's tar has, `opt`, `opt/notes` …, as layers name them. */
function payloadFolders({ root, files }: PayloadManifest): readonly string[] {
  const above = rootFolders(root).map(({ name }) => name.replace(/^\.\//, '').replace(/\/$/, ''))
  const below = files.flatMap(file => (file.type === 'directory' ? [`${root}/${file.path}`] : []))
  return [...above, ...below].filter(name => name !== '')
}

function above(path: string): readonly string[] {
  const names = path.split('/')
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join('/'))
}

/** A folder of a layer replaces a link below it: on a base with `/lib → usr/lib` that would take everything in /lib away. */
function assertFolders(place: string, folders: readonly string[], files: ReadonlyMap<string, LayerEntry>): void {
  for (const folder of folders) {
    const entry = files.get(folder)
    if (entry === undefined || entry.kind === 'folder') continue
    const found = entry.kind === 'link' ? `a link to ${entry.target}` : 'no folder'
    throw new ReleaseError('IMAGE_BASE_PATH', `/${folder} of the base is ${found}, where the image has a folder`, {
      details: { path: place, folder },
    })
  }
}

function mismatch(place: string, problem: string): ReleaseError {
  return new ReleaseError('ENVELOPE_MISMATCH', `${place} ${problem}`, { details: { path: place } })
}
