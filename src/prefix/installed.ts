import fs from 'node:fs'
import path from 'node:path'
import type { Json } from '../core/canonical-json.ts'
import { ReleaseError } from '../core/error.ts'
import { isVersion } from '../core/version.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import { parseNodeRecipe } from '../recipe/node.ts'
import { readJson, readLinkIfExists } from '../sys/files.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'

/**
 * Name the active release: where `current` points.
 *
 * Post: undefined before the first installation. Errors: PREFIX_DAMAGED when it points anywhere but to a release.
 */
export function currentVersion(paths: PrefixPaths): string | undefined {
  const target = readLinkIfExists(paths.current)
  if (target === undefined) return undefined
  const version = path.basename(target)
  if (path.resolve(paths.root, target) !== releasePaths(paths, version).root || !isVersion(version)) {
    throw new ReleaseError('PREFIX_DAMAGED', `${paths.current} points to ${target}, expected releases/VERSION`, {
      details: { path: paths.current, found: target },
    })
  }
  return version
}

/** Tell whether the files of a release are there and whole: its folder exists without the marker beside it. */
export function isComplete(paths: PrefixPaths, version: string): boolean {
  const release = releasePaths(paths, version)
  return fs.existsSync(release.record) && !fs.existsSync(release.incomplete)
}

/** Read the part of the recipe that an installed release runs by. Errors: DOCUMENT_INVALID, RECIPE_INVALID. */
export function readInstalledRecipe(paths: PrefixPaths, version: string): InstalledRecipe {
  return parseNodeRecipe(readJson(releasePaths(paths, version).recipe) as Json)
}
