import { type ErrorEntries, entry } from './entry.ts'

/** Errors of cut. */
export const cutCodes = {
  REHEARSAL_FAILED: entry(
    1,
    'A release that was tried out before it is tagged did not work.',
    'the message has what failed and the last lines of the services; correct it, commit, and cut again',
  ),
  REHEARSAL_UNHEALTHY: entry(
    1,
    'What was installed on trial does not run or is not healthy.',
    'look at the lines of the services in the message',
  ),
} as const satisfies ErrorEntries
