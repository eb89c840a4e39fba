import fs from 'node:fs'
import path from 'node:path'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { compareBytes } from '../core/relative-path.ts'
import type { Tree, TreeEntry } from '../core/tree.ts'
import type { RecipePayload } from '../recipe/schema.ts'

/**
 * Collect what a recipe ships from a built checkout, as {@link Tree} has it: byte order, links last, modes normalised.
 *
 * Post: folders 0755; files 0755 when their owner may execute them, else 0644, or the mode of their recipe entry. Whether a link or a
 * name may be in a payload is for the packer to say.
 * `onFile` hears of every file as it is found. Errors: BUILD_ENTRY_MISSING, BUILD_ENTRY_REPEATED, BUILD_ENTRY_KIND (a socket, device or pipe), BUILD_EMPTY, PATH_UNSAFE (no UTF-8).
 */
export function buildTree(
  checkout: string,
  payload: Pick<RecipePayload, 'root' | 'entries' | 'exclude'>,
  onFile: (sizeBytes: number) => void = () => {},
): Tree {
  const collector = new Collector(payload.exclude, onFile)
  for (const entry of payload.entries) {
    const mode = entry.mode === undefined ? undefined : Number.parseInt(entry.mode, 8)
    const to = entry.to ?? entry.from
    collector.add(path.join(checkout, entry.from), { path: to === '.' ? '' : to, mode, from: entry.from })
  }
  const entries = collector.sorted()
  if (!entries.some(entry => entry.type !== 'directory'))
    throw new ReleaseError('BUILD_EMPTY', `the payload of ${payload.root} has no file`, {
      details: { root: payload.root },
    })
  return { root: payload.root, entries }
}

/** Where something goes, what the recipe says of it, and which of its entries brought it. */
interface Placement {
  /** Relative to the payload's root; empty for the root itself. */
  readonly path: string
  readonly mode: number | undefined
  readonly from: string
}

class Collector {
  readonly #entries = new Map<string, TreeEntry>()
  readonly #exclude: readonly string[]
  readonly #onFile: (sizeBytes: number) => void

  constructor(exclude: readonly string[], onFile: (sizeBytes: number) => void) {
    this.#exclude = exclude
    this.#onFile = onFile
  }

  add(source: string, placement: Placement): void {
    const stat = fs.lstatSync(source, { throwIfNoEntry: false })
    if (stat === undefined)
      throw new ReleaseError('BUILD_ENTRY_MISSING', `payload entry ${placement.from} does not exist after the build`, {
        details: { path: placement.from },
      })
    this.#addParents(placement)
    this.#walk(source, stat, placement)
  }

  sorted(): readonly TreeEntry[] {
    const rank = (entry: TreeEntry) => (entry.type === 'symlink' ? 1 : 0)
    return [...this.#entries.values()].sort((a, b) => rank(a) - rank(b) || compareBytes(a.path, b.path))
  }

  #walk(source: string, type: Pick<fs.Stats, 'isDirectory'>, placement: Placement): void {
    const { path: place, mode, from } = placement
    const isFolder = type.isDirectory()
    if (place !== '') {
      if (this.#exclude.some(pattern => path.matchesGlob(place, pattern))) return
      const entry: TreeEntry = isFolder
        ? { type: 'directory', path: place, mode: 0o755 }
        : entryOf(source, fs.lstatSync(source), placement)
      this.#put(entry, placement)
      if (entry.type === 'file') this.#onFile(entry.sizeBytes)
    }
    if (!isFolder) return
    const below = place === '' ? '' : `${place}/`
    for (const inner of entriesIn(source)) {
      this.#walk(`${source}/${inner.name}`, inner, { path: `${below}${inner.name}`, mode, from })
    }
  }

  #addParents(placement: Placement): void {
    const names = placement.path.split('/').slice(0, -1)
    for (let length = 1; length <= names.length; length++) {
      this.#put({ type: 'directory', path: names.slice(0, length).join('/'), mode: 0o755 }, placement)
    }
  }

  #put(entry: TreeEntry, placement: Placement): void {
    const there = this.#entries.get(entry.path)
    const bothFolders = there?.type === 'directory' && entry.type === 'directory'
    if (there !== undefined && !bothFolders)
      throw new ReleaseError(
        'BUILD_ENTRY_REPEATED',
        `${entry.path} comes into the payload twice, last from ${placement.from}`,
        {
          details: { path: entry.path, from: placement.from },
        },
      )
    this.#entries.set(entry.path, entry)
  }
}

function entryOf(source: string, stat: fs.Stats, placement: Placement): TreeEntry {
  const place = placement.path
  if (stat.isFile()) {
    const mode = placement.mode ?? ((stat.mode & 0o100) === 0 ? 0o644 : 0o755)
    return { type: 'file', path: place, mode, sizeBytes: stat.size, source }
  }
  if (stat.isSymbolicLink()) return { type: 'symlink', path: place, linkTarget: fs.readlinkSync(source) }
  throw new ReleaseError('BUILD_ENTRY_KIND', `${place} is neither a file, a folder nor a link, and cannot be shipped`, {
    details: { path: place },
  })
}

/** What is in a folder, by names that are text: one that is no UTF-8 cannot be written into a manifest. */
function entriesIn(folder: string): readonly fs.Dirent[] {
  try {
    const entries = fs.readdirSync(folder, { withFileTypes: true })
    const damaged = entries.find(({ name }) => name.includes('\ufffd'))
    if (damaged === undefined) return entries
    throw new ReleaseError('PATH_UNSAFE', `${folder} has a name that is not UTF-8: ${damaged.name}`, {
      details: { path: folder },
    })
  } catch (caught) {
    throw isErrno(caught) ? toReleaseError(caught) : caught
  }
}
