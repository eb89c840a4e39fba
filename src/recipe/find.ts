import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'

const fileNames = ['release.yaml', 'recipe.yaml'] as const

/**
 * Find the recipe of an application: `given` (a file, or a folder that holds one), else `release.yaml` in the repository.
 *
 * Errors: RECIPE_NOT_FOUND with the places that were looked at.
 */
export function findRecipe(repository: string, given: string | undefined): string {
  const place = given === undefined ? repository : path.resolve(given)
  const candidates =
    given === undefined ? [path.join(place, fileNames[0])] : [place, ...fileNames.map(name => path.join(place, name))]
  const found = candidates.find(isFile)
  if (found !== undefined) return found
  throw new ReleaseError('RECIPE_NOT_FOUND', `no recipe at ${candidates.join(', ')}`, { details: { candidates } })
}

function isFile(file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false
}
