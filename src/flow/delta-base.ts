import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ErrorCode } from '../core/codes.ts'
import { ReleaseError } from '../core/error.ts'
import { known } from '../core/step.ts'
import type { CutState } from './cut-state.ts'
import { cloneSettings, readSetting } from './publisher.ts'
import { resolveFromFolder, resolveFromRepository } from './resolve.ts'
import type { ResolvedRelease } from './resolved-release.ts'

/** Find an earlier release; undefined when it is nowhere. */
export type FindBase = (version: string) => Promise<ResolvedRelease | undefined>

/**
 * Find the earlier releases that deltas are made from: in `dist`, else in the vendor repository of the clone.
 *
 * Errors of the calls: those of resolve.ts, but RELEASE_UNKNOWN.
 */
export function deltaBaseFinder(state: CutState): FindBase {
  const { name } = known(state.prepared).loaded.recipe
  return async version => {
    const folder = path.join(state.dist, version)
    if (fs.existsSync(path.join(folder, 'release.json'))) {
      return await resolveFromFolder(folder, state.tools.signal).release(name, version)
    }
    const repositoryUrl = await repositoryUrlOf(state)
    return repositoryUrl === undefined ? undefined : await findPublished(state, { name, version, repositoryUrl })
  }
}

/** Errors that say that a release of old is damaged or out of reach, which no new one has to wait for. */
const unusable: ReadonlySet<ErrorCode> = new Set([
  ...(['HTTP_FAILED', 'HTTP_SLOW', 'HTTP_REDIRECT', 'HTTP_ENCODED', 'HTTP_TOO_LARGE'] as const),
  ...(['RELEASE_UNKNOWN', 'RELEASE_CHANGED', 'RECORD_INVALID', 'DOCUMENT_NEWER'] as const),
  ...(['MANIFEST_INVALID', 'SEGMENT_MISSING', 'SEGMENT_SHORT', 'SEGMENT_DIGEST', 'SEGMENT_DECODE'] as const),
  ...([
    'REPOSITORY_UNKNOWN',
    'TRUST_ROOT',
    'TRUST_SIGNATURE',
    'TRUST_EXPIRED',
    'TRUST_METADATA',
    'TRUST_MISMATCH',
  ] as const),
])

/** Tell whether an error says that a base cannot be used, rather than that something is wrong here. */
export function isUnusableBase(caught: unknown): caught is ReleaseError {
  return caught instanceof ReleaseError && unusable.has(caught.code)
}

async function repositoryUrlOf(state: CutState): Promise<string | undefined> {
  if (state.options.url !== undefined) return state.options.url
  const folder = state.options.repository ?? (await readSetting(state, cloneSettings.repository))
  return folder === undefined ? undefined : pathToFileURL(path.resolve(state.places.root, folder)).href
}

/** The root is taken as it comes: a delta from false bytes names a manifest that no server has, and is never applied. */
async function findPublished(
  state: CutState,
  { name, version, repositoryUrl }: { readonly name: string; readonly version: string; readonly repositoryUrl: string },
): Promise<ResolvedRelease> {
  const { pinRoot } = await import('../trust/client.ts')
  const trustFolder = path.join(known(state.workspace).root, 'trust')
  await pinRoot({ folder: trustFolder, repositoryUrl })
  return await resolveFromRepository({ trustFolder, repositoryUrl }, state.tools.signal).release(name, version)
}
