import path from 'node:path'
import type { ErrorCode } from '../core/codes.ts'
import { ReleaseError } from '../core/error.ts'
import { bundleAddress } from '../sys/bundle-file.ts'
import { type BundleContents, readBundleContents } from '../trust/bundle.ts'
import { readKnownIndex } from '../trust/client.ts'
import type { ReleaseIndex } from '../trust/layout.ts'
import { type Resolver, resolveFromRepository } from './resolve.ts'

/** Where an offline bundle is, and what is believed of it. */
export interface BundleOptions {
  /** Made by `release bundle`. */
  readonly file: string
  readonly trustFolder: string
  /** Told when the server knows newer metadata than the bundle has, and since when. */
  readonly onStale?: ((error: ReleaseError, knownMs: number) => void) | undefined
}

/**
 * Resolve the releases of an offline bundle, verified as those of a repository are: from the pinned root, in date, not older than what was seen.
 *
 * A server that knows newer metadata goes by that, while it is in date, and takes from the bundle what it lists. The newest is that of the
 * bundle which is not withdrawn, whatever channel offers it: who carries it here has chosen it. Only a named channel counts.
 * Errors of the calls: BUNDLE_UNKNOWN, BUNDLE_INVALID, RELEASE_UNKNOWN (it is not in there), CHANNEL_UNKNOWN, TRUST_*.
 */
export function resolveFromBundle(options: BundleOptions, signal: AbortSignal): Resolver {
  const file = path.resolve(options.file)
  const { trustFolder, onStale } = options
  const repository = resolveFromRepository(
    { trustFolder, repositoryUrl: bundleAddress(file), mayBe: 'older', onStale },
    signal,
  )
  return {
    newest: async (application, avoided, channel) => {
      const contents = await contentsOf(file, application)
      // Brings what is known of the repository up to date.
      await explained(file, () => repository.newest(application, avoided, channel))
      const index = readKnownIndex(trustFolder, application)
      return index === undefined ? undefined : newestBundled(index, { contents, avoided, channel })
    },
    release: async (application, version) => {
      const contents = await contentsOf(file, application)
      const bundled = contents.releases.find(release => release.version === version)
      if (bundled === undefined) throw notBundled(file, contents, version)
      const release = await explained(file, () => repository.release(application, version))
      const bases = new Set(bundled.deltas.map(({ from }) => from))
      const manifest = () => explained(file, release.manifest)
      return {
        ...release,
        manifest,
        deltas: release.deltas.filter(({ fromVersion }) => bases.has(fromVersion)),
        // Goes on counting.
        get fetchedBytes() {
          return release.fetchedBytes
        },
      }
    },
  }
}

async function contentsOf(file: string, application: string): Promise<BundleContents> {
  const contents = await readBundleContents(file)
  if (contents.application === application) return contents
  throw new ReleaseError('RELEASE_UNKNOWN', `${file} is a bundle of ${contents.application}, not of ${application}`, {
    hint: `make one with: release bundle --application ${application}`,
    details: { path: file, application, found: contents.application },
  })
}

function newestBundled(
  index: ReleaseIndex,
  wanted: {
    readonly contents: BundleContents
    readonly avoided: ReadonlySet<string>
    readonly channel: string | undefined
  },
): string | undefined {
  const bundled = new Set(wanted.contents.releases.map(({ version }) => version))
  const offered = wanted.channel === undefined ? undefined : new Set(index.channels[wanted.channel])
  return index.releases.findLast(
    ({ version, yanked }) =>
      bundled.has(version) && yanked === undefined && !wanted.avoided.has(version) && offered?.has(version) !== false,
  )?.version
}

function notBundled(file: string, { application, releases }: BundleContents, version: string): ReleaseError {
  const versions = releases.map(release => release.version)
  return new ReleaseError('RELEASE_UNKNOWN', `${file} has no ${application} ${version}`, {
    hint: `choose one of ${versions.join(', ')}, or make a bundle with: release bundle ${version}`,
    details: { path: file, application, version, versions },
  })
}

const damaged = 'copy the bundle again; if it stays, it was tampered with: make a new one with `release bundle`'

/** What to do about a bundle is not what to do about a repository. */
const hints: Partial<Record<ErrorCode, string>> = {
  TRUST_EXPIRED: 'check the clock of this machine; else make a new bundle with `release bundle`',
  TRUST_ROLLBACK: 'make a new bundle with `release bundle`: this server has seen newer metadata than is in there',
  TRUST_MISMATCH: damaged,
  TRUST_METADATA: damaged,
  SEGMENT_DIGEST: damaged,
  RELEASE_CHANGED: damaged,
  TRUST_SIGNATURE: 'it is of another repository, or older than a change of keys: make a new one with `release bundle`',
}

async function explained<Value>(file: string, read: () => Promise<Value>): Promise<Value> {
  try {
    return await read()
  } catch (caught) {
    const hint = caught instanceof ReleaseError ? hints[caught.code] : undefined
    if (!(caught instanceof ReleaseError) || hint === undefined) throw caught
    const { code, message, details } = caught
    throw new ReleaseError(code, message, { hint, details: { ...details, path: file }, cause: caught })
  }
}
