import { type ErrorEntries, entry } from './entry.ts'

/** Errors of inspect. */
export const inspectCodes = {
  INSPECT_UNKNOWN: entry(
    1,
    'There is nothing at a place that `release cut` could have written.',
    'name a tarball, a .deb, an image layout, a payload manifest or a delta pack: see dist/VERSION',
  ),
  INSPECT_NO_MANIFEST: entry(
    1,
    'What is in a file is only known with the payload manifest, which is not there.',
    'name it with --manifest; `release cut` writes it beside the tarball as NAME-VERSION.manifest.json.zst',
  ),
  INSPECT_NO_FILE: entry(1, 'A path is no file of a payload.', 'run the same command with --list to see its files'),
  INSPECT_DIFFERS: entry(
    1,
    'A folder is not what a payload unpacks to.',
    'unpack it anew, or see what changed it; the paths are in the message',
  ),
  INSPECT_NO_CONTENT: entry(
    1,
    'A manifest or delta pack does not hold the files that it names.',
    'run the same command on the tarball, package or image of the release',
  ),
} as const satisfies ErrorEntries
