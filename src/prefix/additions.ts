import fs from 'node:fs'
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { isDigest } from '../core/digest.ts'
import { toReleaseError } from '../core/error.ts'
import { isRelativePath } from '../core/relative-path.ts'
import { Fields } from '../payload/fields.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import type { ExpectedEntry } from '../payload/tree-difference.ts'
import { digestFileSync } from '../sys/file-digest.ts'
import { parseJson, readFile, writeFileAtomic } from '../sys/files.ts'
import { type ReleasePaths, releaseDocuments } from './layout.ts'

/** The list is for us alone. */
export const additionsMode = 0o600

/**
 * List what a release's folder holds besides the payload, as setup has left it, so that what is planted later can be told from it.
 *
 * Shape: `.cutover/additions.json`, `{schema: 1, entries: [{path, type, mode, sizeBytes, digest | linkTarget}]}`. Pipes, sockets and devices
 * are not listed, and so are found by every verification. Not signed: whoever may write to the list could as well rewrite the journal.
 * `where` says whether anything but the metadata can have been added: a look at every folder takes its time.
 * Pre: nothing writes to the release any more. Post: the number of entries; not durable by itself. Errors: FILE_IO, FILE_NO_SPACE.
 */
export function recordAdditions(
  release: ReleasePaths,
  manifest: Pick<PayloadManifest, 'files'>,
  where: 'everywhere' | 'metadata',
): number {
  const metadata = path.relative(release.root, release.metadata)
  const isLooked = (name: string) => where === 'everywhere' || !name.includes('/')
  const known = new Map<string, string>()
  for (const entry of manifest.files) if (isLooked(entry.path)) known.set(entry.path, entry.type)
  const documents = new Set(releaseDocuments(release).map(file => path.relative(release.root, file)))
  const entries: ExpectedEntry[] = []
  const walk = (below: string) => {
    for (const { name } of listFolder(path.join(release.root, below))) {
      const found = below === '' ? name : `${below}/${name}`
      const type = known.get(found)
      const isOurs = found === metadata || documents.has(found)
      const entry = type === undefined && !isOurs ? entryAt(release.root, found) : undefined
      if (entry !== undefined) entries.push(entry)
      const isAdded = entry?.type === 'directory' || found === metadata
      if (isAdded || (type === 'directory' && where === 'everywhere')) walk(found)
    }
  }
  walk('')
  writeFileAtomic(release.additions, JSON.stringify({ schema: 1, entries }), { durable: false, mode: additionsMode })
  return entries.length
}

/**
 * List some paths of a sealed release anew, which configuration was written to.
 *
 * Pre: the release has a list. Post: durable; a list that has them as they are is left alone. Errors: DOCUMENT_INVALID, FILE_IO.
 * Crash: a verification finds them changed until the next change lists them.
 */
export function replaceAdditions(release: ReleasePaths, names: readonly string[]): void {
  const replaced = new Set(names)
  const before = parseAdditions(readFile(release.additions), release.additions)
  const found = names.flatMap(name => entryAt(release.root, name) ?? [])
  const same = found.every(entry => before.some(each => isDeepStrictEqual(each, entry)))
  if (same) return
  const entries = [...before.filter(entry => !replaced.has(entry.path)), ...found]
  writeFileAtomic(release.additions, JSON.stringify({ schema: 1, entries }), { mode: additionsMode })
}

/** Read what {@link recordAdditions} listed at a place. Errors: DOCUMENT_INVALID. */
export function parseAdditions(bytes: Buffer, place: string): readonly ExpectedEntry[] {
  const fields = new Fields(parseJson(bytes.toString(), place), 'DOCUMENT_INVALID', place)
  fields.integer('schema', 1, 1)
  return Array.from(fields.objects('entries'), ([entry]) => parseEntry(entry))
}

function parseEntry(entry: Fields): ExpectedEntry {
  const type = entry.choice('type', ['directory', 'file', 'symlink'])
  const name = entry.text('path', isRelativePath)
  if (type === 'symlink') return { type, path: name, linkTarget: entry.text('linkTarget') }
  const mode = entry.integer('mode', 0, 0o7777)
  if (type === 'directory') return { type, path: name, mode }
  const sizeBytes = entry.integer('sizeBytes', 0, Number.MAX_SAFE_INTEGER)
  return { type, path: name, mode, sizeBytes, digest: entry.text('digest', isDigest) }
}

function listFolder(folder: string): readonly fs.Dirent[] {
  try {
    return fs.readdirSync(folder, { withFileTypes: true })
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

function entryAt(root: string, name: string): ExpectedEntry | undefined {
  const file = path.join(root, name)
  const stat = fs.lstatSync(file)
  const mode = stat.mode & 0o7777
  if (stat.isDirectory()) return { type: 'directory', path: name, mode }
  if (stat.isSymbolicLink()) return { type: 'symlink', path: name, linkTarget: fs.readlinkSync(file) }
  const digested = stat.isFile() ? digestFileSync(file) : undefined
  return digested === undefined ? undefined : { type: 'file', path: name, mode, ...digested }
}
