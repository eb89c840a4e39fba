import { type ErrorEntries, entry } from './entry.ts'

/** Errors of source. */
export const sourceCodes = {
  GIT_FAILED: entry(1, 'A git command failed.', 'its last lines are in the message; run it by hand to see more'),
  SOURCE_NOT_GIT: entry(
    2,
    'A folder is not in a git repository.',
    'run the command in the repository of the application',
  ),
  SOURCE_EMPTY: entry(2, 'A repository has no commit.', 'commit the application first'),
  SOURCE_SHALLOW: entry(2, 'A shallow clone does not know its last release.', 'run git fetch --unshallow --tags'),
  SOURCE_SUBMODULE: entry(
    2,
    'Submodules are not supported: a release is cut from one commit of one repository.',
    'vendor their content, or package them as releases of their own',
  ),
  SOURCE_DIRTY: entry(
    2,
    'There are changes that no commit has, so that they would not be released.',
    'commit or stash them, or add them to .gitignore',
  ),
  SOURCE_BRANCH: entry(
    2,
    'Releases are cut from another branch.',
    'switch to the branch that the recipe names, or cut a --snapshot',
  ),
  SOURCE_BEHIND: entry(2, 'The remote has commits that are not here.', 'pull them first'),
  SOURCE_IDENTITY: entry(
    2,
    'Git does not know who makes the release.',
    'run git config user.name and git config user.email',
  ),
  SOURCE_MOVED: entry(
    1,
    'Branch or tag changed while a release was made; it was not published.',
    'run the same command again',
    true,
  ),
  SOURCE_EDIT_UNSAFE: entry(
    2,
    'A version file or changelog is not a plain file of the repository.',
    'name the file itself in the recipe',
  ),
  VERSION_MISSING: entry(
    2,
    'A release was asked for without a version.',
    'give one, as in release cut 1.2.3, or use --snapshot',
  ),
  VERSION_NOT_HIGHER: entry(2, 'A version is not higher than the last release.', 'choose a higher version'),
  VERSION_FILE_INVALID: entry(
    2,
    'The version cannot be set in a file that the recipe names.',
    'correct source.versionFiles in the recipe',
  ),
  TAG_EXISTS: entry(
    2,
    'The tag of a release exists already.',
    'a release is never replaced: publish it with `release upload`, or choose the next version',
  ),
} as const satisfies ErrorEntries
