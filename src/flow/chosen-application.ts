import { ReleaseError } from '../core/error.ts'
import { findRecipe } from '../recipe/find.ts'
import { loadRecipe } from '../recipe/load.ts'
import type { Clone, PublisherOptions } from './publisher.ts'

/** What a command about one application can be given. */
export interface ApplicationOptions extends PublisherOptions {
  /** That of the clone's recipe when absent, else the only one of the repository. */
  readonly application?: string | undefined
}

/**
 * Choose the application that is meant, among those that a repository has.
 *
 * Errors: RELEASE_UNKNOWN (not one of them), USAGE (there are several), RECIPE_* (the clone's recipe cannot be read).
 */
export function chooseApplication(
  options: ApplicationOptions,
  clone: Clone | undefined,
  known: readonly string[],
): string {
  const named = options.application ?? recipeName(clone)
  if (named !== undefined) {
    assertKnown(named, known)
    return named
  }
  const [only] = known
  if (only !== undefined && known.length === 1) return only
  throw new ReleaseError('USAGE', `the repository has ${known.length} applications, and none is named`, {
    hint:
      known.length === 0
        ? 'publish a release first: release upload'
        : `name one with --application: ${known.join(', ')}`,
    details: { known },
  })
}

/** Refuse an application that a repository does not have. Errors: RELEASE_UNKNOWN. */
export function assertKnown(application: string, known: readonly string[]): void {
  if (known.includes(application)) return
  throw new ReleaseError('RELEASE_UNKNOWN', `the repository has no application ${application}`, {
    hint: known.length === 0 ? 'nothing is published there yet' : `choose one of ${known.join(', ')}`,
    details: { application, known },
  })
}

function recipeName(clone: Clone | undefined): string | undefined {
  if (clone === undefined) return undefined
  try {
    return loadRecipe(findRecipe(clone.places.root, undefined)).recipe.name
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.code === 'RECIPE_NOT_FOUND') return undefined
    throw caught
  }
}
