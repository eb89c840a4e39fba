import fs from 'node:fs'
import path from 'node:path'
import type { Json } from '../core/canonical-json.ts'
import { stableJson } from '../core/canonical-json.ts'
import { type Digest, digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { type PayloadManifest, parseManifest } from '../payload/manifest.ts'
import { parseReleaseRecord } from '../payload/release-record.ts'
import {
  describeEntry,
  type ExpectedEntry,
  type ExpectedFile,
  type TreeDifference,
} from '../payload/tree-difference.ts'
import { verifyTree } from '../payload/verify.ts'
import { parseNodeRecipe } from '../recipe/node.ts'
import { readFile } from '../sys/files.ts'
import { additionsMode, parseAdditions } from './additions.ts'
import { type PrefixPaths, type ReleasePaths, releasePaths } from './layout.ts'

/** What an installed release was found to be. */
export interface CheckedRelease {
  readonly version: string
  readonly root: string
  /** What it is to consist of; undefined where the documents that say so are not what they were. */
  readonly manifest: PayloadManifest | undefined
  /** How many files, folders and links were compared. */
  readonly entries: number
  /** Paths relative to the release. */
  readonly differences: readonly TreeDifference[]
  /** What Python has compiled since the installation, which it may where the release belongs to whom it runs as. */
  readonly caches: readonly string[]
}

/** What a release is compared with. */
export interface ReleaseCheckOptions {
  readonly version: string
  /** The digest of the record, as the journal has it since the installation. */
  readonly recordDigest: string
  /** Who everything is to belong to. */
  readonly ownerId: number
  readonly onProgress: (done: number, total: number) => void
  readonly signal: AbortSignal
}

/**
 * Compare an installed release with what was signed, link by link: the journal holds the digest of the record, the record that of the
 * manifest, the manifest those of all files. What setup has added is compared with the list that was made of it then.
 *
 * Post: nothing is written; a broken link is a difference, and nothing that hangs on it counts. Errors: FILE_IO, the signal's reason.
 */
export async function checkRelease(paths: PrefixPaths, options: ReleaseCheckOptions): Promise<CheckedRelease> {
  const release = releasePaths(paths, options.version)
  const chain = readChain(release, options.recordDigest)
  const { manifest } = chain
  if (manifest === undefined) {
    const { version } = options
    const { differences } = chain
    return { version, root: release.root, manifest, entries: 1, differences, caches: [] }
  }
  const entries = [...manifest.files, ...chain.entries]
  const found = await verifyTree(release.root, entries, options)
  const isCache = (each: TreeDifference) => chain.isPython && each.kind === 'extra' && isBytecode(each.path)
  return {
    version: options.version,
    root: release.root,
    manifest,
    entries: entries.length,
    differences: [...chain.differences, ...found.filter(each => !isCache(each))],
    caches: found.filter(isCache).map(each => each.path),
  }
}

interface Chain {
  readonly manifest: PayloadManifest | undefined
  readonly isPython: boolean
  /** The documents, and what setup has added. */
  readonly entries: readonly ExpectedEntry[]
  readonly differences: readonly TreeDifference[]
}

function readChain(release: ReleasePaths, recordDigest: string): Chain {
  const name = (file: string) => path.relative(release.root, file)
  const broken = (...differences: readonly TreeDifference[]): Chain => {
    return { manifest: undefined, isPython: false, entries: [], differences }
  }
  const record = readDocument(release.record, name, recordDigest)
  if (!('bytes' in record)) return broken(record)
  const artifacts = parseReleaseRecord(record.bytes).components[0]?.artifacts ?? []
  const manifestDigest = artifacts.find(each => each.kind === 'manifest')?.digest ?? 'a manifest in the record'
  const document = readDocument(release.manifest, name, manifestDigest)
  if (!('bytes' in document)) return broken(document)
  const manifest = parseManifest(document.bytes)
  const recipe = recipeFile(manifest.recipe, name(release.recipe))
  const added = addedEntries(release, name(release.additions))
  return {
    manifest,
    isPython: parseNodeRecipe(manifest.recipe).node.runtime.kind === 'python',
    entries: [
      { type: 'directory', path: name(release.metadata), mode: 0o755 },
      record.file,
      document.file,
      recipe,
      ...added.entries,
    ],
    differences: added.differences,
  }
}

/** Read a document whose digest is known; what is wrong with it otherwise. */
function readDocument(
  file: string,
  name: (file: string) => string,
  expected: string,
): { readonly bytes: Buffer; readonly file: ExpectedFile } | TreeDifference {
  const bytes = readRegularFile(file)
  if (!Buffer.isBuffer(bytes)) return { path: name(file), expected, ...bytes }
  const found = digestOf(bytes)
  if (found !== expected) return { path: name(file), kind: 'content', expected, found }
  return { bytes, file: documentFile(name(file), bytes.byteLength, found) }
}

/** What stands in the place of a file is neither followed nor waited for. */
function readRegularFile(file: string): Buffer | Pick<TreeDifference, 'kind' | 'found'> {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  if (stat === undefined) return { kind: 'missing', found: '' }
  return stat.isFile() ? readFile(file) : { kind: 'type', found: describeEntry(stat) }
}

function documentFile(name: string, sizeBytes: number, digest: Digest): ExpectedFile {
  return { type: 'file', path: name, mode: 0o644, sizeBytes, digest }
}

/** The copy that services are run by. */
function recipeFile(recipe: Json, name: string): ExpectedFile {
  const text = stableJson(recipe)
  return documentFile(name, Buffer.byteLength(text), digestOf(text))
}

function addedEntries(release: ReleasePaths, name: string): Pick<Chain, 'entries' | 'differences'> {
  const bytes = readRegularFile(release.additions)
  const difference = (found: Pick<TreeDifference, 'kind' | 'found'>) => {
    return { entries: [], differences: [{ path: name, expected: 'the list of what setup has added', ...found }] }
  }
  if (!Buffer.isBuffer(bytes)) return difference(bytes)
  try {
    const entries = parseAdditions(bytes, release.additions)
    const own = { ...documentFile(name, bytes.byteLength, digestOf(bytes)), mode: additionsMode }
    return { entries: [own, ...entries], differences: [] }
  } catch (caught) {
    if (!(caught instanceof ReleaseError)) throw caught
    return difference({ kind: 'content', found: caught.message })
  }
}

function isBytecode(name: string): boolean {
  return name.split('/').includes('__pycache__')
}
