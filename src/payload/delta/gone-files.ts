import { compareBytes } from '../../core/relative-path.ts'
import type { PayloadFile } from '../payload-file.ts'

/** How many files on both sides of a path, in the order of paths, are looked at for it. */
const neighbours = 8

/** Files of an earlier release whose paths the new one does not have, by what renaming seldom changes. */
export class GoneFiles {
  readonly #byName = new Map<string, PayloadFile[]>()

  constructor(files: readonly PayloadFile[]) {
    for (const file of files) {
      for (const key of keysOf(file.path)) {
        const list = this.#byName.get(key)
        if (list === undefined) this.#byName.set(key, [file])
        else list.push(file)
      }
    }
    for (const list of this.#byName.values()) list.sort((a, b) => compareBytes(a.path, b.path))
  }

  /** Find the one that a new file most likely was: of the same name, else with its extension in its folder; nearest by path, then size. */
  nearest(file: PayloadFile): PayloadFile | undefined {
    for (const key of keysOf(file.path)) {
      const list = this.#byName.get(key)
      if (list === undefined) continue
      const at = insertionPoint(list, file.path)
      const candidates = list.slice(Math.max(0, at - neighbours), at + neighbours)
      return candidates.toSorted(
        (a, b) => alike(b.path, file.path) - alike(a.path, file.path) || distance(a, file) - distance(b, file),
      )[0]
    }
    return undefined
  }
}

/** A file's name, and its folder with its extension: what `lib/main.4f3a.js` and `lib/main.90c1.js` have in common. */
function keysOf(path: string): readonly string[] {
  const slash = path.lastIndexOf('/')
  const name = path.slice(slash + 1)
  const dot = name.lastIndexOf('.')
  return [`name ${name}`, `folder ${path.slice(0, slash + 1)} ${dot <= 0 ? '' : name.slice(dot)}`]
}

/** How many characters two paths share at their start. */
function alike(a: string, b: string): number {
  let at = 0
  while (at < a.length && a[at] === b[at]) at += 1
  return at
}

function distance(a: PayloadFile, b: PayloadFile): number {
  return Math.abs(a.sizeBytes - b.sizeBytes)
}

function insertionPoint(sorted: readonly PayloadFile[], path: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareBytes(sorted[middle]!.path, path) < 0) low = middle + 1
    else high = middle
  }
  return low
}
