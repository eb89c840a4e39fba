import type { ReleaseError } from '../core/error.ts'
import type { PrefixIdentity } from '../prefix/identity.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import { resolveFromBundle } from './install-bundle.ts'
import { type Resolver, resolveFromRepository } from './resolve.ts'
import { resolveOffline } from './resolve-offline.ts'
import type { FlowTools } from './tools.ts'

/** Where the releases of a prefix come from, but for what its identity and settings say. */
export interface ResolverChoice {
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  /** An offline bundle, in place of the repository. */
  readonly from?: string | undefined
  /** Nobody is asked. */
  readonly offline?: boolean | undefined
  /** Told when the metadata has expired, and since when nothing newer is known. */
  readonly onStale: (error: ReleaseError, knownMs: number) => void
}

/** Resolve releases for a prefix: from a bundle, from nobody, or from its repository and mirrors. */
export function chooseResolver(choice: ResolverChoice, { signal, emit }: FlowTools): Resolver {
  const { paths, identity, from, offline, onStale } = choice
  const trustFolder = paths.trust
  if (from !== undefined) return resolveFromBundle({ file: from, trustFolder, onStale }, signal)
  if (offline === true) return resolveOffline(trustFolder)
  const onFailure = (place: string, error: ReleaseError) =>
    emit({ kind: 'warning', code: error.code, message: `${place} is given up: ${error.message}` })
  const { mirrors, mirrorOrder, bytesPerSecond, leastBytesPerSecond } = identity.settings ?? {}
  const fetching = {
    mirrors,
    mirrorOrder,
    bytesPerSecond,
    leastBytesPerSecond,
    cacheFolder: paths.cache,
    environment: process.env,
    onFailure,
    onWarning: (code: string, message: string) => emit({ kind: 'warning', code, message }),
  }
  return resolveFromRepository({ trustFolder, repositoryUrl: identity.repository, onStale, fetching }, signal)
}
