import { stableJson } from '../core/canonical-json.ts'
import { type Digest, isDigest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'

/** What the images that a recipe builds on were when somebody decided on them. */
export interface ImageLock {
  readonly schema: 1
  /** By the name in the recipe. */
  readonly bases: Readonly<Record<string, LockedBase>>
}

/** An image, fixed by digests. */
export interface LockedBase {
  /** What the name stood for: an index, or the manifest of a single platform. */
  readonly digest: Digest
  /** The manifest of each platform, such as `linux/arm64`. */
  readonly platforms: Readonly<Record<string, Digest>>
}

/** A lock that fixes nothing. */
export const emptyLock: ImageLock = { schema: 1, bases: {} }

/** Tell where the lock of a recipe is: `release.lock.json` beside `release.yaml`. */
export function lockFileOf(recipeFile: string): string {
  return `${recipeFile.replace(/\.ya?ml$/, '')}.lock.json`
}

/** Write a lock, for people and version control to compare. */
export function renderImageLock(lock: ImageLock): string {
  return stableJson(lock)
}

/** Read a lock file. Errors: BASE_LOCK_INVALID, DOCUMENT_NEWER. */
export function parseImageLock(text: string, file: string): ImageLock {
  const value = parseObject(text, file)
  const { schema, bases } = value
  if (typeof schema === 'number' && schema > 1) {
    throw new ReleaseError('DOCUMENT_NEWER', `${file} has schema ${schema}, expected 1`, { details: { path: file } })
  }
  if (schema !== 1 || !isObject(bases)) throw invalid(file, 'is no lock file')
  for (const [name, base] of Object.entries(bases)) assertBase(base, name, file)
  return value as unknown as ImageLock
}

function assertBase(base: unknown, name: string, file: string): void {
  const { digest, platforms } = isObject(base) ? base : {}
  const isWhole = isDigest(digest) && isObject(platforms) && Object.values(platforms).every(isDigest)
  if (!isWhole) throw invalid(file, `does not fix ${name} by digests`)
}

function parseObject(text: string, file: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
  } catch (caught) {
    throw invalid(file, 'is not JSON', caught)
  }
  throw invalid(file, 'is not an object')
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(file: string, problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('BASE_LOCK_INVALID', `${file} ${problem}`, { cause, details: { path: file } })
}
