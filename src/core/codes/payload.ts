import { type ErrorEntries, entry } from './entry.ts'

/** Errors of payload and envelope. */
export const payloadCodes = {
  PAYLOAD_ENTRY: entry(1, 'A tree cannot be packed.', 'correct the payload entries of the recipe'),
  PAYLOAD_LINK: entry(
    1,
    'A symbolic link in the tree would point outside of the payload.',
    'make the link relative and let it point below the payload root, or exclude it in the recipe',
  ),
  PAYLOAD_CHANGED: entry(
    1,
    'A file changed while it was packed.',
    'stop what writes to the build folder and run the same command again',
    true,
  ),
  MANIFEST_INVALID: entry(3, 'A payload manifest cannot be trusted or read.', 'fetch it again from another mirror'),
  RECORD_INVALID: entry(3, 'A release record cannot be trusted or read.', 'fetch it again from another mirror'),
  SEGMENT_MISSING: entry(
    1,
    'The file that holds a payload is not where it should be.',
    'try another mirror, or publish the release again with `release upload`',
    true,
  ),
  SEGMENT_SHORT: entry(1, 'A mirror sent fewer bytes than it should.', 'run the same command again', true),
  SEGMENT_DIGEST: entry(3, 'A mirror sent other bytes than were signed.', 'try another mirror, and tell its owner'),
  SEGMENT_DECODE: entry(3, 'A segment does not hold what the manifest says.', 'try another version or mirror'),
  FILE_DIGEST: entry(3, 'A file in a payload is not what the manifest says.', 'try another version or mirror'),
  TAR_INVALID: entry(3, 'A tar cannot be read under the rules of dpkg.', 'do not use the file that holds it'),
  DEB_INVALID: entry(3, 'A Debian package breaks the rules of deb(5).', 'do not use it; ask its maker'),
  DEB_FIELD: entry(1, 'A control field would break the package.', 'correct the recipe'),
  DEB_TOO_LARGE: entry(1, 'A Debian package cannot hold this much.', 'split the payload or ship a tarball'),
  DELTA_INVALID: entry(
    3,
    'A delta pack cannot be trusted or read, or leads to another release.',
    'fetch it again from another mirror; what it saves can be fetched from the tarball',
  ),
  DELTA_BASE_MISMATCH: entry(
    1,
    'A file of an earlier release is not the one that a delta pack starts from.',
    'fetch the files from an envelope of the release instead; `cutover verify` tells what was changed',
  ),
  IMAGE_INVALID: entry(3, 'An image layout breaks the rules of the OCI image specification.', 'do not use it'),
  IMAGE_ARCHIVE_INVALID: entry(
    3,
    'An archive is not what docker save, podman save or skopeo write, or it tries to reach outside of itself.',
    'do not use it; save the image anew',
  ),
  IMAGE_USER: entry(
    1,
    'An image would run as somebody whom it does not know.',
    'give artifacts.oci.user by number, such as "1000:1000", or take a base that has the user',
  ),
  IMAGE_BASE_PATH: entry(
    1,
    'A folder of the payload would take the place of a link in the base image, and with it of all that is behind the link.',
    'let payload.root name the folder that the link leads to, such as usr/lib/… for lib/…',
  ),
  BASE_UNLOCKED: entry(
    2,
    'A recipe builds on an image whose content nobody has fixed.',
    'run `release image lock` and commit the lock file',
  ),
  BASE_CHANGED: entry(
    3,
    'An image that a recipe builds on is not the one that was locked.',
    'see why it changed; if that is meant, run `release image lock` and commit the lock file',
  ),
  BASE_LOCK_INVALID: entry(2, 'A lock file cannot be read.', 'remove it and run `release image lock`'),
  ENVELOPE_MISMATCH: entry(
    1,
    'An envelope does not hold the payload that it was made from.',
    'report it with the output of the same command and --json',
  ),
} as const satisfies ErrorEntries
