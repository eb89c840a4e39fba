import type { Document } from '../document.ts'
import { pointer } from '../document.ts'
import type { DatedSnapshot } from '../ledger.ts'
import { byHashKey, isListed, storedFiles } from './by-hash.ts'
import { releaseFileNames, type SuiteState } from './state.ts'
import { type ReadFile, readVerified } from './suite.ts'

/** The folder of a dated snapshot. */
const snapshotFolder = (id: string): string => `snapshot/${id}`

/**
 * Keep the suites as they are now under a date: their Release files in `snapshot/ID/dists/SUITE/`.
 *
 * Everything else that apt asks for there is where it always was: indexes by their hash, packages in the pool. Whoever serves
 * the folder rewrites those addresses. Pre: the by-hash files that are returned are kept as long as the snapshot.
 * Errors: REPOSITORY_DAMAGED. Source: `Snapshots` in apt's debmetaindex.cc.
 */
export async function renderDatedSnapshot(
  id: string,
  suites: Readonly<Record<string, SuiteState>>,
  read: ReadFile,
): Promise<{ readonly documents: readonly Document[]; readonly snapshot: DatedSnapshot }> {
  const documents = Object.entries(suites).flatMap(([suite, { release }]) =>
    releaseFileNames.map(async name => {
      const key = `dists/${suite}/${name}`
      const bytes = await readVerified(read, key, release[name])
      return pointer(
        `${snapshotFolder(id)}/${key}`,
        bytes,
        name === 'Release.gpg' ? 'application/pgp-signature' : 'text/plain',
      )
    }),
  )
  const files = Object.entries(suites).flatMap(([suite, state]) => presentFiles(suite, state))
  return { documents: await Promise.all(documents), snapshot: { id, files } }
}

function presentFiles(suite: string, state: SuiteState): DatedSnapshot['files'] {
  return Object.entries(state.indexes)
    .filter(([path]) => isListed(path))
    .flatMap(([path, { generations }]) =>
      storedFiles(path, generations.at(-1) ?? {}).map(([, file]) => ({
        key: byHashKey(suite, path, file),
        digest: file.digest,
      })),
    )
}
