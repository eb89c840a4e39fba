import fs from 'node:fs'
import path from 'node:path'
import { isVersion } from '../core/version.ts'
import { describeEntry, octal, type TreeDifference } from '../payload/tree-difference.ts'
import { listFiles } from '../sys/files.ts'
import { besideReleases, type PrefixPaths, releasePaths } from './layout.ts'
import type { PrefixState } from './state.ts'
import { wrapperNames, wrapperText } from './wrappers.ts'

/**
 * Compare everything of a prefix but the content of its releases with what it is to be: folders and files that only their owner may write,
 * what `current` points to, the commands in `bin/`, and what is there besides.
 *
 * Post: paths relative to the prefix; folders above it that let others replace it are named by their absolute paths.
 */
export function checkPrefix(
  paths: PrefixPaths,
  state: Pick<PrefixState, 'active' | 'releases' | 'pruned' | 'unfinished'>,
  ownerId: number,
): readonly TreeDifference[] {
  const check = new PrefixCheck(paths, ownerId)
  for (const folder of [paths.root, paths.releases, paths.bin, paths.trust, path.dirname(paths.journal)]) {
    check.ownFolder(folder)
  }
  for (const file of [paths.identity, paths.journal, ...filesIn(paths.trust)]) check.ownFile(file)
  for (const folder of [paths.shared, paths.run, paths.cache]) check.folder(folder)
  check.secrets(paths.secrets)
  check.current(state.active)
  for (const name of listFiles(paths.bin)) check.command(name)
  for (const name of listFiles(paths.releases)) check.release(name, state)
  check.above()
  return check.differences
}

class PrefixCheck {
  readonly #paths: PrefixPaths
  readonly #ownerId: number
  readonly differences: TreeDifference[] = []

  constructor(paths: PrefixPaths, ownerId: number) {
    this.#paths = paths
    this.#ownerId = ownerId
  }

  /** Writable by nobody but the owner. */
  ownFolder(folder: string): void {
    this.#own(folder, 'directory')
  }

  ownFile(file: string): void {
    this.#own(file, 'file')
  }

  /** One that the application's user may write to. */
  folder(folder: string): void {
    const stat = this.#stat(folder)
    if (stat === undefined) return
    if (!stat.isDirectory()) this.#add(folder, 'type', 'directory', describeEntry(stat))
    else if ((stat.mode & 0o002) !== 0) this.#add(folder, 'mode', 'not writable by all', octal(stat.mode & 0o7777))
  }

  secrets(file: string): void {
    const stat = this.#stat(file)
    if (stat === undefined) return
    if (!stat.isFile()) this.#add(file, 'type', 'file', describeEntry(stat))
    else if ((stat.mode & 0o077) !== 0) this.#add(file, 'mode', '0600', octal(stat.mode & 0o7777))
  }

  current(active: string | undefined): void {
    const link = this.#paths.current
    const stat = this.#stat(link)
    const expected = active === undefined ? 'nothing' : `releases/${active}`
    if (stat === undefined) {
      if (active !== undefined) this.#add(link, 'missing', expected, '')
    } else if (stat.isSymbolicLink()) {
      const found = fs.readlinkSync(link)
      if (found !== expected) this.#add(link, 'target', expected, found)
      this.#owner(link, stat)
    } else this.#add(link, 'type', 'symlink', describeEntry(stat))
  }

  command(name: string): void {
    const file = path.join(this.#paths.bin, name)
    if (!(wrapperNames as readonly string[]).includes(name)) {
      this.#extra(file)
    } else if (this.#own(file, 'file') && !isWrapper(fs.readFileSync(file, 'utf8'), name, this.#paths.root)) {
      this.#add(file, 'content', `a call of cutover ${name} for this prefix`, 'something else')
    }
  }

  release(name: string, state: Pick<PrefixState, 'releases' | 'pruned' | 'unfinished'>): void {
    const version = name.replace(/\.(incomplete|leftover)$/, '')
    const isOurs = Object.values(besideReleases).some(prefix => name.startsWith(prefix))
    const isKnown = state.releases.has(version) || state.pruned.has(version) || state.unfinished?.version === version
    const file = path.join(this.#paths.releases, name)
    if (isOurs || (isVersion(version) && isKnown)) this.#owner(file, this.#stat(file))
    else this.#extra(file)
    if (name === version && state.releases.has(version)) this.ownFolder(releasePaths(this.#paths, version).root)
  }

  /** Whoever may rename in a folder above the prefix may put another in its place; where it is sticky, only their own. */
  above(): void {
    for (let folder = path.dirname(this.#paths.root); ; folder = path.dirname(folder)) {
      const stat = fs.statSync(folder)
      const isOpen = (stat.mode & 0o002) !== 0 && (stat.mode & 0o1000) === 0
      const isForeign = stat.uid !== 0 && stat.uid !== this.#ownerId
      if (isOpen) this.differences.push(difference(folder, 'mode', 'not writable by all', octal(stat.mode & 0o7777)))
      if (isForeign) this.differences.push(difference(folder, 'owner', `0 or ${this.#ownerId}`, String(stat.uid)))
      if (folder === path.dirname(folder)) return
    }
  }

  /** Tell whether it is of that type, at least. */
  #own(name: string, type: 'directory' | 'file'): boolean {
    const stat = this.#stat(name)
    if (stat === undefined) {
      this.#add(name, 'missing', type, '')
      return false
    }
    if (!(type === 'file' ? stat.isFile() : stat.isDirectory())) {
      this.#add(name, 'type', type, describeEntry(stat))
      return false
    }
    this.#owner(name, stat)
    if (this.#isShared(stat)) this.#add(name, 'mode', 'writable by its owner alone', octal(stat.mode & 0o7777))
    return true
  }

  /** A person's own group is that person; root's files have no such group but root's. */
  #isShared({ mode, gid }: fs.Stats): boolean {
    return (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && this.#ownerId === 0 && gid !== 0)
  }

  #owner(name: string, stat: fs.Stats | undefined): void {
    if (stat !== undefined && stat.uid !== this.#ownerId) {
      this.#add(name, 'owner', String(this.#ownerId), String(stat.uid))
    }
  }

  #extra(name: string): void {
    const stat = this.#stat(name)
    if (stat !== undefined) this.#add(name, 'extra', '', describeEntry(stat))
  }

  #stat(name: string): fs.Stats | undefined {
    return fs.lstatSync(name, { throwIfNoEntry: false })
  }

  #add(name: string, ...[kind, expected, found]: readonly [TreeDifference['kind'], string, string]): void {
    this.differences.push(difference(path.relative(this.#paths.root, name) || '.', kind, expected, found))
  }
}

function difference(name: string, kind: TreeDifference['kind'], expected: string, found: string): TreeDifference {
  return { path: name, kind, expected, found }
}

/** Whatever cutover made it: one that was replaced by another since has left its commands behind. */
function isWrapper(text: string, name: string, prefix: string): boolean {
  const [, ...cutover] = /^exec '(\/[^'\n]*)' (?:'(\/[^'\n]*)' )?'/m.exec(text) ?? []
  const words = cutover.filter(word => word !== undefined)
  return words.length > 0 && wrapperText(name, words, prefix) === text
}

function filesIn(folder: string): readonly string[] {
  return listFiles(folder).map(name => path.join(folder, name))
}
