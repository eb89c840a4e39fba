import type { ReleaseRecord } from '../payload/release-record.ts'
import { type ListedRelease, poolKey, type ReleaseIndex, type RepositoryDescription } from '../trust/layout.ts'
import { renderStanza } from './apt/control.ts'
import type { AptPackage, AptPackageKey } from './apt/state.ts'
import { artifactsOf } from './artifacts.ts'
import { offered } from './channels.ts'

/** An application's list of releases before a publication and after it. */
export interface IndexChange {
  readonly before: ReleaseIndex
  readonly after: ReleaseIndex
}

/** What a suite lists in addition, and no more. */
export interface SuitePackages {
  readonly added: readonly AptPackage[]
  readonly removed: readonly AptPackageKey[]
}

/** Read the record of a listed release. */
export type RecordOf = (application: string, listed: ListedRelease) => Promise<ReleaseRecord>

/** The files that a package installs, without a leading slash. */
export type FilesOf = (record: ReleaseRecord, deb: string) => Promise<readonly string[]>

/**
 * Find out what a channel's suite lists in addition and no more: the packages of releases that the channel offers now and did not before, and
 * the other way round.
 *
 * `contents` is given where the suite lists files, too. Errors: PACKAGE_INVALID, those of `recordOf`.
 */
export async function suitePackages(
  channel: string,
  changes: readonly IndexChange[],
  options: {
    readonly components: RepositoryDescription['apt']['components']
    readonly recordOf: RecordOf
    readonly filesOf?: FilesOf | undefined
  },
): Promise<SuitePackages> {
  const added: AptPackage[] = []
  const removed: AptPackageKey[] = []
  for (const { before, after } of changes) {
    const { application } = after
    const component = options.components === 'application' ? application : 'main'
    const was = new Set(offered(before, channel))
    const is = new Set(offered(after, channel))
    for (const release of before.releases) {
      if (was.has(release.version) && !is.has(release.version)) removed.push(...keysOf(release, component))
    }
    for (const release of after.releases) {
      if (was.has(release.version) || !is.has(release.version) || release.debs.length === 0) continue
      added.push(...(await packagesOf(await options.recordOf(application, release), component, options.filesOf)))
    }
  }
  return { added, removed }
}

function keysOf({ debs }: ListedRelease, component: string): readonly AptPackageKey[] {
  return debs.map(deb => ({ component, ...deb }))
}

async function packagesOf(
  record: ReleaseRecord,
  component: string,
  filesOf: FilesOf | undefined,
): Promise<readonly AptPackage[]> {
  const packages: AptPackage[] = []
  for (const deb of artifactsOf(record, 'deb')) {
    packages.push({
      component,
      architecture: deb.architecture,
      package: deb.package,
      version: deb.debianVersion,
      stanza: renderStanza(deb, poolKey(record.name, record.version, deb.name)),
      ...(filesOf === undefined ? {} : { files: await filesOf(record, deb.name) }),
    })
  }
  return packages
}
