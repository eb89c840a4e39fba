import { ReleaseError } from '../../core/error.ts'
import type { TargetReader } from '../target.ts'
import { readTufState, type TufState } from '../tuf/state.ts'
import type { KeyFolder } from './folder.ts'

/**
 * Read a repository's metadata as the publisher that these keys belong to, and remember how far it was.
 *
 * A publisher that took an old copy for the present state would sign it anew. So the keys folder remembers the highest timestamp of each
 * place, and the newest root; both are kept current here.
 *
 * Errors: KEY_MISSING (these are not the keys of a repository), TRUST_ROLLBACK, those of {@link readTufState}.
 */
export async function readTrustedState(target: TargetReader, keys: KeyFolder): Promise<TufState> {
  const trusted = keys.trustedRoot()
  if (trusted === undefined) {
    throw new ReleaseError('KEY_MISSING', `${keys.folder} has no trusted-root.json for ${target.name}`, {
      details: { path: keys.folder, repository: target.name },
    })
  }
  const state = await readTufState(target, trusted)
  assertSeen(state, target.name, keys)
  if (!state.rootBytes.equals(Buffer.from(trusted))) keys.writeTrustedRoot(state.rootBytes)
  keys.rememberTimestamp(target.name, state.timestamp.version)
  return state
}

function assertSeen(state: TufState, place: string, keys: KeyFolder): void {
  const seen = keys.seenTimestamp(place)
  const { version } = state.timestamp
  if (version >= seen) return
  throw new ReleaseError('TRUST_ROLLBACK', `${place} is at timestamp ${version}, and ${seen} was seen there before`, {
    hint: `find out who put an old copy there; if you did on purpose, take the place out of ${keys.folder}/seen.json`,
    details: { place, found: version, expected: seen },
  })
}
