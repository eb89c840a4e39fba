import { type ErrorEntries, entry } from './entry.ts'

/** Errors of prefix and install. */
export const prefixCodes = {
  PREFIX_UNKNOWN: entry(2, 'A folder is not a prefix.', 'run `cutover init` for it, or name another with --prefix'),
  PREFIX_DAMAGED: entry(
    4,
    'A prefix does not look as its journal says.',
    'put back what the message names, then run `cutover recover`',
  ),
  PREFIX_MISMATCH: entry(
    2,
    'A prefix exists already for another application or repository.',
    'choose another folder: a prefix stays with its application and repository',
  ),
  JOURNAL_DAMAGED: entry(
    4,
    'The journal of a prefix is damaged in its middle.',
    'restore journal/journal.ndjson from a backup; what runs is not touched',
  ),
  JOURNAL_SEQUENCE: entry(
    4,
    'The journal of a prefix has a gap, a repetition or a record that cannot follow.',
    'restore journal/journal.ndjson from a backup; what runs is not touched',
  ),
  JOURNAL_FULL: entry(
    1,
    'There is no room for the journal of a prefix.',
    'make room on the file system of the prefix and run the same command again',
    true,
  ),
  RELEASE_CHANGED: entry(
    3,
    'A release is not what it was when it was signed, fetched or staged.',
    'run `cutover verify` to see what differs',
  ),
  RUNTIME_MISSING: entry(1, 'The interpreter that a release needs is not installed.', 'install it'),
  RUNTIME_VERSION: entry(1, 'No interpreter of this machine has the version that a release needs.', 'install one'),
  ACCOUNT_UNKNOWN: entry(
    1,
    'This machine lacks the user or group that a release runs as.',
    'make it, then run the same command again',
  ),
  ACCOUNT_DENIED: entry(
    2,
    'A release runs as another user than the one who runs the command.',
    'run the same command as root, or as that user',
  ),
  SHARED_OWNER: entry(
    1,
    'Something below shared/ belongs to another user than the one that the release runs as.',
    'give it to that user, then run the same command again',
  ),
  VARIABLE_INVALID: entry(
    2,
    'A variable that a release needs has no value in this prefix, or one of another kind.',
    'give it one with `cutover settings NAME=VALUE`',
  ),
  SECRET_UNAVAILABLE: entry(
    1,
    'A secret could not be had from where the recipe says; the active version was not touched.',
    'see to what provides it, then run the same command again',
    true,
  ),
  SECRET_KEY: entry(
    1,
    'This server has no usable key to decrypt the secrets of a release with.',
    'name its file of age identities with `cutover settings ageKeyFile=FILE`',
  ),
  SECRET_MISSING: entry(
    4,
    'A secret that an installed release runs with is not in the prefix any more.',
    'restore shared/secrets.json from a backup',
  ),
  SETUP_FAILED: entry(
    1,
    'A release could not be set up; the active version was not touched.',
    'look at the output in the message; it is tried again with --version and --retry',
  ),
  MIGRATION_FAILED: entry(
    1,
    'A data migration failed; the version before serves.',
    'look at the output in the message; it is tried again with --version and --retry',
  ),
  BACKUP_FAILED: entry(
    1,
    'The data could not be copied before a migration; nothing was changed.',
    'look at the output in the message and run the same command again',
    true,
  ),
  RESTORE_FAILED: entry(
    4,
    'The data could not be put back after a failed migration; no version is started on it.',
    'see to what the message names, then run `cutover recover`',
  ),
  DATA_UNSETTLED: entry(
    4,
    'An interrupted change left the data between two versions; nothing is started on it.',
    'run `cutover recover`',
  ),
  HOOK_FAILED: entry(
    1,
    'A hook that a change needs failed; the version before serves.',
    'look at the output in the message and run the same command again',
    true,
  ),
  RELEASE_AVOIDED: entry(
    1,
    'A release failed here, or was rolled back from.',
    'ask `cutover why --version VERSION`; --retry tries it all the same',
  ),
  STATE_EPOCH: entry(
    1,
    'A version cannot read the data as a version that ran here writes it.',
    'choose a version that reads the epoch that the message names',
  ),
  CONTRACT_UNCONFIRMED: entry(
    2,
    'A contract of the data, which there is no way back from, was not confirmed.',
    'run it on a terminal and type the version, or with --yes',
  ),
  CONTRACT_UNSETTLED: entry(
    1,
    'The active version is none to go on from: its installation failed behind the point of no return.',
    'install a version that works, then contract',
  ),
  NOTIFY_FAILED: entry(
    1,
    'Somebody could not be told of the end of a change; the change itself stands.',
    'look at `cutover settings`, and at the other end',
    true,
  ),
  INSTALL_UNHEALTHY: entry(
    1,
    'A version did not start, become healthy or stay so; the version before serves again.',
    'look at the logs below run/log of the prefix, then cut a new version',
  ),
  ROLLBACK_NONE: entry(1, 'There is no version to go back to.', 'install the version that you want with --version'),
  ROLLBACK_FLOOR: entry(
    1,
    'A version is older than the data allows after a forward-only migration.',
    'choose a later version, or restore the data by hand',
  ),
  DOWNGRADE: entry(
    1,
    'The version that is asked for is older than the one that is active.',
    'run `cutover rollback`, or name it with --allow-downgrade',
  ),
  OFFLINE: entry(
    1,
    'Something is needed that is not on this machine, and the command was told to ask nobody.',
    'run it without --offline, or install from a bundle with --from',
  ),
  WINDOW_CLOSED: entry(
    1,
    'The maintenance window closed before the version could be switched to.',
    'run the same command again when it is open, earlier in it or with a wider one',
    true,
  ),
  VERIFY_NONE: entry(1, 'There is no such installed version to verify.', 'install a version first'),
  VERIFY_FAILED: entry(
    3,
    'An installed release is not what was signed.',
    'do not trust what runs; find out who did it, and run `cutover verify --repair`',
  ),
  RECOVERY_INCOMPLETE: entry(
    4,
    'An interrupted or failed change could be neither finished nor undone.',
    'see to what the message names, then run `cutover recover`',
  ),
  ENVIRONMENT_UNKNOWN: entry(
    2,
    'A release knows nothing of the environment of the prefix.',
    'run `cutover init` on the prefix again with another --environment, or add this one to the recipe and cut a new version',
  ),
} as const satisfies ErrorEntries
