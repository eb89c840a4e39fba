import path from 'node:path'
import { type Digest, hexOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { known } from '../core/step.ts'
import { fileDigest } from '../envelope/input.ts'
import { unpackArchive } from '../envelope/oci-archive.ts'
import { type BaseImage, type BaseOptions, readBase } from '../envelope/oci-base.ts'
import { type Base, parseBase } from '../recipe/base.ts'
import { emptyLock, type ImageLock, type LockedBase, lockFileOf, parseImageLock } from '../recipe/image-lock.ts'
import type { RecipeImage } from '../recipe/schema.ts'
import { openClient } from '../registry/client.ts'
import { getManifest } from '../registry/manifests.ts'
import { pullImage } from '../registry/pull.ts'
import { parseReference, renderReference } from '../registry/reference.ts'
import { parsePlatform } from '../registry/walk.ts'
import { readTextIfExists } from '../sys/files.ts'
import { cacheFolder } from './cache-folder.ts'
import { type RegistryOptions, registryTools, tellBytes } from './image-registry.ts'
import type { FlowTools } from './tools.ts'

export interface OpenBaseOptions extends Omit<RegistryOptions, 'cwd'> {
  readonly image: Pick<RecipeImage, 'base' | 'platforms'>
  /** Its lock is beside it. */
  readonly recipeFile: string
  /** What paths of bases are relative to. */
  readonly folder: string
  /** A folder for what an archive holds, not there yet; whoever gives it removes it, after the image is used. */
  readonly temporary: string
  /** The step that tells of what is fetched. */
  readonly step: string
}

type ImageBase = Exclude<Base, { kind: 'scratch' }>

/** Read the lock of a recipe; empty when there is none. Errors: BASE_LOCK_INVALID. */
export function readImageLock(recipeFile: string): ImageLock {
  const file = lockFileOf(recipeFile)
  const text = readTextIfExists(file)
  return text === undefined ? emptyLock : parseImageLock(text, file)
}

/**
 * Make sure that the base of an image is fixed by digests for all its platforms; undefined for `scratch`.
 *
 * Errors: BASE_UNLOCKED, BASE_LOCK_INVALID.
 */
export function assertLocked(
  { base, platforms }: OpenBaseOptions['image'],
  recipeFile: string,
): LockedBase | undefined {
  if (base === 'scratch') return undefined
  const locked = readImageLock(recipeFile).bases[base]
  const missing = platforms.filter(platform => locked?.platforms[platform] === undefined)
  if (locked !== undefined && missing.length === 0) return locked
  const what = locked === undefined ? base : `${base} for ${missing.join(', ')}`
  throw new ReleaseError('BASE_UNLOCKED', `${lockFileOf(recipeFile)} does not fix ${what}`, { details: { base } })
}

/**
 * Open the base of an image, as it was locked; undefined for `scratch`.
 *
 * Post: digests of image and manifests are the locked ones; layers are digested by whoever copies them. A tag is never asked for: what is not
 * in the cache is fetched by its digest. Errors: BASE_UNLOCKED, BASE_CHANGED, those of {@link readBase}, archives and registries.
 */
export async function openLockedBase(options: OpenBaseOptions, tools: FlowTools): Promise<BaseImage | undefined> {
  const { image, recipeFile } = options
  const locked = assertLocked(image, recipeFile)
  if (locked === undefined) return undefined
  const base = parseImage(image.base)
  const found =
    base.kind === 'registry' ? await openCached(options, locked.digest, tools) : await openFile(base, options)
  assertSame(found, locked, recipeFile)
  return found
}

/** Open the base of an image as it is now, whatever was locked: a registry is asked for the tag. Errors: those of {@link openLockedBase}. */
export async function openCurrentBase(options: OpenBaseOptions, tools: FlowTools): Promise<BaseImage> {
  const base = parseImage(options.image.base)
  if (base.kind !== 'registry') return await openFile(base, options)
  return await openCached(options, await currentDigest(options, tools), tools)
}

function parseImage(text: string): ImageBase {
  const base = parseBase(text)
  if (base.kind === 'scratch') throw new Error('an image from scratch is put on nothing')
  return base
}

async function currentDigest(options: OpenBaseOptions, tools: FlowTools): Promise<Digest> {
  const { registry, repository, tag, digest } = parseReference(options.image.base)
  if (digest !== undefined) return digest
  const { plainHttp, environment } = options
  const name = { registry, repository }
  const client = await openClient({ name, actions: 'pull', plainHttp, environment }, registryTools(tools))
  return (await getManifest(client, known(tag))).digest
}

async function openFile(base: Exclude<ImageBase, { kind: 'registry' }>, options: OpenBaseOptions): Promise<BaseImage> {
  const { image, folder, temporary } = options
  const place = path.resolve(folder, base.path)
  if (base.kind === 'archive') await unpackArchive(place, temporary)
  return await readBase({
    folder: base.kind === 'archive' ? temporary : place,
    name: image.base,
    platforms: image.platforms,
    ...(base.reference === undefined ? {} : { reference: base.reference }),
  })
}

/** Open a layout of one image in the cache, whose blobs are shared with others. What is damaged or missing is fetched by its digest. */
async function openCached(options: OpenBaseOptions, digest: Digest, tools: FlowTools): Promise<BaseImage> {
  const { image, environment, plainHttp, step } = options
  const { registry, repository, ...named } = parseReference(image.base)
  const cache = cacheFolder(environment)
  const folder = cache === undefined ? options.temporary : path.join(cache, 'images', hexOf(digest))
  const publicName = renderReference({ registry, repository, ...named })
  const base = { folder, name: image.base, publicName, reference: digest, platforms: image.platforms }
  const there = await readIntact(base)
  if (there !== undefined) return there
  await pullImage(
    {
      reference: { registry, repository, digest },
      platforms: image.platforms.map(parsePlatform),
      folder,
      plainHttp,
      environment,
      onProgress: tellBytes(tools, step, image.base),
      ...(cache === undefined ? {} : { cacheFolder: cache }),
    },
    registryTools(tools),
  )
  return await readBase(base)
}

/** Read a base of which nothing may be there; undefined unless all of it is, byte by byte. */
async function readIntact(options: BaseOptions): Promise<BaseImage | undefined> {
  try {
    const base = await readBase(options)
    const layers = base.platforms.flatMap(platform => platform.layers)
    return layers.every(({ file, digest }) => fileDigest(file) === digest) ? base : undefined
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.code.startsWith('IMAGE_')) return undefined
    throw caught
  }
}

function assertSame(found: BaseImage, locked: LockedBase, recipeFile: string): void {
  const pairs = [
    { what: found.name, now: found.digest, before: locked.digest },
    ...found.platforms.map(({ name, digest }) => ({
      what: `${found.name} for ${name}`,
      now: digest,
      before: locked.platforms[name],
    })),
  ]
  const changed = pairs.find(({ now, before }) => now !== before)
  if (changed === undefined) return
  const { what, now, before } = changed
  throw new ReleaseError('BASE_CHANGED', `${what} is ${now}, ${lockFileOf(recipeFile)} says ${before}`, {
    details: { base: found.name, found: now, expected: before },
  })
}
