import { type ErrorEntries, entry } from './entry.ts'

/** Errors of core and sys. */
export const generalCodes = {
  INTERNAL: entry(1, 'A defect of Cutover itself.', 'report it with the output of the same command and --json'),
  USAGE: entry(2, 'The command line was not understood.', 'run the command with --help'),
  INTERRUPTED: entry(
    1,
    'A command was ended by SIGINT or SIGTERM.',
    'run the same command again; it goes on from where it was',
    true,
  ),
  VERSION_INVALID: entry(
    2,
    'A version is not in the form of Semantic Versioning.',
    'write the version as in 1.2.3 or 1.2.0-rc.1',
  ),
  DIGEST_INVALID: entry(
    1,
    'A digest is not in the form sha256:HEX.',
    'the document that holds it is damaged: fetch it again',
  ),
  PATH_UNSAFE: entry(
    3,
    'A path would leave its folder or holds control characters.',
    'do not use the file that holds it; ask its maker',
  ),
  FILE_IO: entry(
    1,
    'The system refused a file operation.',
    'look at the errno and the path; nothing half-made is left in place',
  ),
  FILE_NO_SPACE: entry(1, 'A file system or quota is full.', 'make room and run the same command again', true),
  EXEC_EXHAUSTED: entry(
    1,
    'The machine has no descriptors, processes or memory left to start a command with.',
    'find out who uses them all, or raise the limits (ulimit -a), then run the same command again',
    true,
  ),
  EXEC_FAILED: entry(
    1,
    'A command ended with a failure.',
    'its last lines are in the message; run it by hand to see more',
  ),
  EXEC_NOT_FOUND: entry(1, 'A command is not installed.', 'install it and run the same command again'),
  EXEC_TIMEOUT: entry(
    1,
    'A command did not end within its time limit.',
    'raise its timeout in the recipe or find out why it hangs',
    true,
  ),
  HTTP_FAILED: entry(
    1,
    'A request failed or was answered with an error.',
    'check the address and the network, then run the same command again',
    true,
  ),
  HTTP_SLOW: entry(
    1,
    'A server sends so slowly that it may never come to an end.',
    'try another mirror; a slow line needs a lower leastBytesPerSecond in `cutover settings`',
    true,
  ),
  HTTP_REDIRECT: entry(
    3,
    'A server leads to where no request goes: from TLS to none, on and on, or nowhere.',
    'name the place where the files are; tell the owner of the server',
  ),
  HTTP_ENCODED: entry(
    1,
    'A server sent an answer in an encoding that nobody asked for.',
    'let the server, or what stands in front of it, send files as they are; try another mirror',
  ),
  PROXY_INVALID: entry(
    2,
    'A proxy that the environment names is none.',
    'set HTTP_PROXY and HTTPS_PROXY to http://HOST:PORT, or leave them away',
  ),
  HTTP_TOO_LARGE: entry(
    3,
    'An answer is longer than it may be.',
    'the server or something in between is not to be trusted; try another mirror',
  ),
  LOCKED: entry(
    5,
    'Another command is at work on the same thing.',
    'wait for it, or look at who holds the lock in the message',
    true,
  ),
  DOCUMENT_INVALID: entry(1, 'A stored document cannot be read.', 'restore it from a backup or another mirror'),
  DOCUMENT_NEWER: entry(1, 'A stored document was written by a newer version.', 'upgrade cutover on this machine'),
  STEP_REQUIRED: entry(
    1,
    'A step that a run cannot do without was skipped.',
    'do what the reason says, then run the same command again',
  ),
} as const satisfies ErrorEntries
