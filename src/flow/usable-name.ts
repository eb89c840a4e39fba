import { ReleaseError } from '../core/error.ts'
import { namePattern } from '../core/name.ts'

/** Refuse what cannot be the name of a repository or an application: it goes into commands, paths and pages. Errors: USAGE. */
export function assertName(text: string, hint: string): void {
  if (namePattern.test(text)) return
  const expected = 'expected 2 to 63 of a-z 0-9 + . - , a letter or digit first'
  throw new ReleaseError('USAGE', `not a name: ${JSON.stringify(text)}, ${expected}`, { hint })
}
