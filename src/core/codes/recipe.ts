import { type ErrorEntries, entry } from './entry.ts'

/** Errors of recipe. */
export const recipeCodes = {
  RECIPE_NOT_FOUND: entry(
    2,
    'There is no recipe at the place that was looked at.',
    'write a release.yaml (recipes/REFERENCE.md has every key), or name a recipe with --recipe',
  ),
  RECIPE_INVALID: entry(
    2,
    'A recipe has problems.',
    'correct the lines named in the message; recipes/REFERENCE.md has every key',
  ),
  RECIPE_PLACEHOLDER: entry(
    2,
    'A text of a recipe uses a placeholder that has no value.',
    'correct the name, or write $$ for a dollar sign',
  ),
} as const satisfies ErrorEntries
