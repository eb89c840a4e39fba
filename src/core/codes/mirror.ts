import { type ErrorEntries, entry } from './entry.ts'

/** Errors of mirrors. */
export const mirrorCodes = {
  MIRROR_INVALID: entry(
    2,
    'The name of a mirror is not in a form that is understood.',
    'correct it with `cutover settings mirrors=PLACE`',
  ),
} as const satisfies ErrorEntries
