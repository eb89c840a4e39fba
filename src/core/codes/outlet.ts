import { type ErrorEntries, entry } from './entry.ts'

/** Errors of outlets and announcements. */
export const outletCodes = {
  OUTLET_INVALID: entry(
    2,
    'A place for releases is not in a form that is understood.',
    'write it as oci://HOST[:PORT]/NAMESPACE or github:OWNER/REPO',
  ),
  OUTLET_SKIPPED: entry(
    1,
    'A release was not brought to an outlet, for none of the repositories beside it has the release.',
    'see to the repositories first; the same command goes on with what is left',
    true,
  ),
  GITHUB_AUTH: entry(
    1,
    'GitHub denied a request: no token, a wrong one, or one with too few rights.',
    'give a token that may write contents of the repository in GITHUB_TOKEN, or name its file in GITHUB_TOKEN_FILE',
  ),
  GITHUB_REFUSED: entry(
    1,
    'GitHub answered a request with an error.',
    'the status is in the message; check the repository, then run the same command again',
  ),
  GITHUB_UNAVAILABLE: entry(
    1,
    'GitHub did not do its work after several attempts, or allows no more requests for now.',
    'run the same command again later: what has arrived is not sent again',
    true,
  ),
  GITHUB_ASSETS: entry(
    1,
    'The files of a release cannot all be assets of a release at GitHub.',
    'ship fewer or smaller files, or leave GitHub out of the targets',
  ),
  ANNOUNCE_FAILED: entry(
    1,
    'A release was published, but somebody was not told of it.',
    'look at the webhook or command; the release itself is complete',
    true,
  ),
  ANNOUNCE_SECRET: entry(
    1,
    'The secret that announcements are signed with cannot be read.',
    'set the environment variable or the file that the message names',
  ),
} as const satisfies ErrorEntries
