import { type ErrorEntries, entry } from './entry.ts'

/** Errors of repository. */
export const repositoryCodes = {
  LISTEN_FAILED: entry(
    1,
    'A repository cannot be served at an address.',
    'choose another address with --listen, or end the process that has it (`ss -ltnp` finds it)',
  ),
  REPOSITORY_UNKNOWN: entry(
    1,
    'There is no repository at an address.',
    'check the address; `release init DIR` makes a repository',
  ),
  REPOSITORY_CONFLICT: entry(
    1,
    'Something that must never change is there already with other content.',
    'releases are immutable: cut a new version',
  ),
  REPOSITORY_CHANGED: entry(
    5,
    'Somebody else published in the meantime.',
    'run the same command again: it starts from what is there now',
    true,
  ),
  REPOSITORY_DAMAGED: entry(
    1,
    'A repository does not hold what it should.',
    'look at its storage; `release verify VERSION` tells what can be read',
  ),
  CHANNEL_UNKNOWN: entry(1, 'A repository has no such channel.', 'choose one of those that the message names'),
  CHANNEL_SNAPSHOT: entry(
    1,
    'A snapshot cannot be offered by the most stable channel.',
    'cut a release from its commit, and upload that',
  ),
  RELEASE_YANKED: entry(1, 'A release that is yanked cannot be offered.', 'run `release unyank VERSION` first'),
  TARGET_UNKNOWN: entry(
    2,
    'A place that a repository can be published to was not understood.',
    'give a folder, https://HOST/PATH, s3://BUCKET/PREFIX',
  ),
  TARGET_CREDENTIALS: entry(
    3,
    'Credentials for a target cannot be used as they are.',
    'keep them in a netrc file of mode 600 (~/.netrc, or where CUTOVER_NETRC says), and use https',
  ),
  TARGET_REFUSED: entry(
    1,
    'A target refused a request.',
    'look at the status: the credentials, the address, or what the server lets one do',
  ),
  TARGET_UNAVAILABLE: entry(
    1,
    'A target did not answer as it should, however often it was tried.',
    'run the same command again later; it goes on from where it was',
    true,
  ),
  SNAPSHOT_ID: entry(2, 'The name of a dated snapshot is no time.', 'write a time in UTC as 20261121T074500Z'),
  METADATA_EXPIRING: entry(
    1,
    'Signed metadata is about to expire or has expired, and was not renewed.',
    'run `release refresh` where its keys are; `release keys list` tells which they are',
  ),
  RELEASE_NOT_CUT: entry(1, 'There is no such release in dist.', 'run `release cut VERSION` first'),
  RELEASE_LOCAL: entry(
    1,
    'A release was made for one machine alone, and cannot be published.',
    'cut it in a clone: release cut VERSION, or release cut --snapshot',
  ),
  RELEASE_DAMAGED: entry(
    1,
    'A file of a release is not what its record says.',
    'put the file back from where the release was cut, or cut the next version',
  ),
  RELEASE_UNTAGGED: entry(
    1,
    'A release has no tag in the git repository, or the tag marks other content.',
    'fetch the tags, or cut the release again',
  ),
  UPLOAD_PARTIAL: entry(
    1,
    'A release was published at some of several places only.',
    'run the same command again: it goes on with the places that failed',
    true,
  ),
  CHANGE_PARTIAL: entry(
    1,
    'What a repository says of a release was changed at some of several places only.',
    'run the same command again: it finds the others done',
    true,
  ),
  TAG_PUSH: entry(
    1,
    'The tag of a release could not be pushed, and nothing was published.',
    'look at the remote, then run the same command again',
    true,
  ),
  PACKAGE_INVALID: entry(
    1,
    'A Debian or Python package cannot be listed in an index.',
    'correct the recipe and cut the release again',
  ),
  KEY_MISSING: entry(1, 'A signing key is not in the keys folder.', 'give the folder that has it with --keys'),
  KEY_PERMISSIONS: entry(3, 'Others than you may read a signing key.', 'set the mode that the message names'),
  KEY_INVALID: entry(1, 'A key file cannot be read.', 'restore it from a backup'),
  KEY_MISMATCH: entry(
    3,
    'A signing key is not the one that the repository trusts for this.',
    'give the keys folder of this repository with --keys',
  ),
  KEY_THRESHOLD: entry(
    1,
    'Fewer keys of a role are at hand than must sign for it.',
    'give the folders that have the others, or sign by a ceremony: release keys export',
  ),
  KEY_PASSPHRASE: entry(
    1,
    'A key file is encrypted, and no passphrase or a wrong one was given.',
    'put the passphrase into a file that only you can read and name it with --passphrase-file',
  ),
  CEREMONY_OUTDATED: entry(
    1,
    'What was signed does not follow what is published by now.',
    'make the payload again, and have that signed',
  ),
  KEY_PLACE: entry(
    2,
    'Signing keys would be published together with the repository.',
    'choose a keys folder outside of the repository with --keys',
  ),
} as const satisfies ErrorEntries
