import { type ErrorEntries, entry } from './entry.ts'

/** Errors of build. */
export const buildCodes = {
  BUILD_COMMAND: entry(
    1,
    'A command of the recipe (tests, build) failed.',
    'its last lines are in the message; correct it, commit, and cut again',
  ),
  BUILD_ENTRY_MISSING: entry(
    2,
    'The payload names something that the build did not make.',
    'correct payload.entries in the recipe, or the build',
  ),
  BUILD_ENTRY_REPEATED: entry(2, 'Two payload entries bring the same path.', 'correct payload.entries in the recipe'),
  BUILD_ENTRY_KIND: entry(
    2,
    'The payload holds something that is neither file, folder nor link.',
    'exclude it in the recipe',
  ),
  BUILD_EMPTY: entry(2, 'The payload has no file.', 'correct payload in the recipe'),
  BUILD_OVERLAP: entry(
    2,
    'Two packages of the release ship the same file, which dpkg would refuse.',
    'let only one component have the file, by payload.exclude or payload.entries in the recipe',
  ),
  BUILD_PYTHON: entry(
    2,
    'The Python distributions that the recipe names are not as expected.',
    'correct artifacts.python in the recipe, or the build',
  ),
  BUILD_ARTIFACT_REPEATED: entry(
    2,
    'Two artifacts of a release have the same file name.',
    'rename what the build makes',
  ),
} as const satisfies ErrorEntries
