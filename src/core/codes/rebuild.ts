import { type ErrorEntries, entry } from './entry.ts'

/** Errors of rebuild. */
export const rebuildCodes = {
  REBUILD_SOURCE: entry(
    1,
    'A clone has not the tag or the commit that a release was cut from.',
    'run the command in a clone of the repository that the release was cut in, after git fetch --tags',
  ),
  REBUILD_DIFFERS: entry(
    1,
    'A release that was built again is not what was released.',
    'the table says where and why: correct that step of the build and cut the next version, or find out who changed the release',
  ),
} as const satisfies ErrorEntries
