import fs from 'node:fs'
import path from 'node:path'
import { makeFolder, syncFolder } from '../sys/files.ts'
import { besideReleases, type PrefixPaths } from './layout.ts'

/**
 * The place for what stood where it should not have: kept for people to look at, reachable by nobody else.
 *
 * Shape: `releases/.quarantine/STAMP-VERSION/PATH`; on the file system of the releases, so that moving is one step.
 */
export class Quarantine {
  readonly #folder: string
  readonly #top: string
  readonly moved: { readonly path: string; readonly place: string }[] = []

  constructor(paths: PrefixPaths, { version, stamp }: { readonly version: string; readonly stamp: string }) {
    this.#top = path.join(paths.releases, besideReleases.quarantine)
    this.#folder = path.join(this.#top, `${stamp}-${version}`)
  }

  /** Move something away. Post: both names are durable. Crash: it is in the one place or in the other. */
  move(name: string, entryPath: string): void {
    makeFolder(this.#top, { mode: 0o700 })
    const place = this.#freePlace(path.join(this.#folder, entryPath))
    makeFolder(path.dirname(place), { mode: 0o700 })
    fs.renameSync(name, place)
    syncFolder(path.dirname(place))
    syncFolder(path.dirname(name))
    this.moved.push({ path: entryPath, place })
  }

  #freePlace(place: string): string {
    for (let number = 1, free = place; ; number += 1, free = `${place}.${number}`) {
      if (fs.lstatSync(free, { throwIfNoEntry: false }) === undefined) return free
    }
  }
}
