import { type ErrorEntries, entry } from './entry.ts'

/** Errors of installing a revision. */
export const revisionCodes = {
  SOURCE_UNNAMED: entry(
    2,
    'A prefix is told no git repository to build revisions from.',
    'name it once with `cutover settings source=ADDRESS`, or with --source',
  ),
  SOURCE_ADDRESS: entry(
    2,
    'An address is none that a server clones from.',
    'give an https:, ssh: or file: address or an absolute folder, without a password: those are read from ~/.netrc',
  ),
  REVISION_OWNER: entry(
    2,
    'A prefix belongs to another user than the one who would build for it.',
    'run the same command as that user: what it put into the prefix is not for root to run git on',
  ),
  REVISION_UNKNOWN: entry(
    1,
    'A git repository has no such commit, branch or tag, or not any more.',
    'look it up with `git ls-remote`; a commit is best given in full',
  ),
  REVISION_BUILD: entry(
    1,
    'A revision could not be built on this server; the active version was not touched.',
    'correct the source, or build it with `release cut --local` in a clone to see more',
  ),
} as const satisfies ErrorEntries
