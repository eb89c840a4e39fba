import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { findRecipe } from '../recipe/find.ts'
import { type PublishSettings, publishSettings } from '../recipe/publish.ts'
import { type Clone, isFolder } from './publisher.ts'

/** Where an upload goes, how fast and who is told; `folder` is what paths of the recipe are relative to. */
export interface UploadSettings extends PublishSettings {
  readonly folder: string
}

/** Read where the recipe of a clone wants releases published to, folders made absolute. Without a recipe nothing is wanted. Errors: RECIPE_INVALID. */
export async function readUploadSettings(cwd: string, clone: Clone | undefined): Promise<UploadSettings> {
  const file = clone === undefined ? undefined : recipeOf(clone)
  if (file === undefined) return { targets: [], announce: {}, folder: cwd }
  const folder = path.dirname(file)
  // Loaded late: the schema is the larger part of starting where no recipe is.
  const { loadRecipe } = await import('../recipe/load.ts')
  const settings = publishSettings(loadRecipe(file).recipe)
  const targets = settings.targets.map(place => (isFolder(place) ? path.resolve(folder, place) : place))
  return { ...settings, targets, folder }
}

function recipeOf(clone: Clone): string | undefined {
  try {
    return findRecipe(clone.places.root, undefined)
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.code === 'RECIPE_NOT_FOUND') return undefined
    throw caught
  }
}
