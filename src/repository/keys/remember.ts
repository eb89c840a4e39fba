import { ReleaseError } from '../../core/error.ts'
import type { TufState } from '../tuf/state.ts'
import type { KeyFolder } from './folder.ts'

/**
 * Hold a repository's state against what these keys have seen, and remember it.
 *
 * A publisher that took an old copy for the present state would sign it anew. So the keys folder remembers the highest timestamp of each
 * place, and the newest root. Pre: `seen` was looked up before the state was read: another process with the same keys may have published
 * since. Errors: TRUST_ROLLBACK.
 */
export function rememberState(state: TufState, place: string, keys: KeyFolder, seen: number): void {
  const { version } = state.timestamp
  if (version < seen) {
    throw new ReleaseError('TRUST_ROLLBACK', `${place} is at timestamp ${version}, and ${seen} was seen there before`, {
      hint: `find out who put an old copy there; if you did on purpose, take the place out of ${keys.folder}/seen.json`,
      details: { place, found: version, expected: seen },
    })
  }
  // What a killed publication left is only believed by who trusts the root before: that one stays until the next has ended it.
  const isNewRoot = !state.isRootAhead && keys.trustedRoot() !== state.rootBytes.toString()
  if (isNewRoot) keys.writeTrustedRoot(state.rootBytes)
  if (version > seen) keys.rememberTimestamp(place, version)
}
