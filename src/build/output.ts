import fs from 'node:fs'
import path from 'node:path'
import { toReleaseError } from '../core/error.ts'
import { removeTree, syncFileSystem, syncFolder } from '../sys/files.ts'

/** The folder of a release while it is made. */
export interface ReleaseOutput {
  /** `dist/.VERSION.partial`: nothing reads it. */
  readonly partial: string
  /** `dist/VERSION`, once it is complete. */
  readonly folder: string
  /** Put the complete folder in its place, in one step. Post: durable. */
  readonly complete: () => Promise<void>
  /** Give up: the folder is removed, complete or not. */
  readonly discard: () => void
}

/**
 * Make an empty folder for a release that is being cut, dropping what a killed cut left there.
 *
 * Crash: the partial folder, which the next cut of the version removes; or, between the two renames of {@link ReleaseOutput.complete}, no
 * `dist/VERSION` although there was one of an earlier, untagged cut.
 */
export function openOutput(dist: string, version: string): ReleaseOutput {
  const partial = path.join(dist, `.${version}.partial`)
  const replaced = path.join(dist, `.${version}.replaced`)
  const folder = path.join(dist, version)
  removeTree(replaced)
  removeTree(partial)
  try {
    fs.mkdirSync(partial, { recursive: true })
  } catch (caught) {
    throw toReleaseError(caught)
  }
  let made = partial
  return {
    partial,
    folder,
    complete: async () => {
      await complete({ dist, partial, replaced, folder })
      made = folder
    },
    discard: () => removeTree(made),
  }
}

/** The places that {@link complete} renames. */
interface OutputPlaces {
  readonly dist: string
  readonly partial: string
  readonly replaced: string
  readonly folder: string
}

async function complete(places: OutputPlaces): Promise<void> {
  await syncFileSystem(places.partial)
  try {
    if (fs.existsSync(places.folder)) fs.renameSync(places.folder, places.replaced)
    fs.renameSync(places.partial, places.folder)
    syncFolder(places.dist)
  } catch (caught) {
    throw toReleaseError(caught)
  }
  removeTree(places.replaced)
}
