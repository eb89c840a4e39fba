import type { ReleaseRecord } from '../payload/release-record.ts'
import { type AptSettings, type ListedRelease, poolKey, type ReleaseIndex } from '../trust/layout.ts'
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

/** Tell the packages of a release as suites list them. */
export type PackagesOf = (application: string, listed: ListedRelease) => Promise<readonly AptPackage[]>

/**
 * Read the packages of releases, each release once, however many suites list it.
 *
 * `filesOf` is given where suites list files, too. Errors of the reader: PACKAGE_INVALID, those of `recordOf`.
 */
export function packageReader(options: {
  readonly components: AptSettings['components']
  readonly recordOf: RecordOf
  readonly filesOf?: FilesOf | undefined
}): PackagesOf {
  const known = new Map<string, Promise<readonly AptPackage[]>>()
  return (application, listed) => {
    const { digest } = listed.record
    const component = componentOf(options.components, application)
    const packages =
      known.get(digest) ??
      options.recordOf(application, listed).then(record => packagesIn(record, component, options.filesOf))
    known.set(digest, packages)
    return packages
  }
}

/** The component that an application's packages are in. */
function componentOf(components: AptSettings['components'], application: string): string {
  return components === 'application' ? application : 'main'
}

/**
 * Find out what a channel's suite lists in addition and no more: the packages of releases that the channel offers now and did not before, and
 * the other way round. Errors: those of `packagesOf`.
 */
export async function suitePackages(
  channel: string,
  changes: readonly IndexChange[],
  options: { readonly components: AptSettings['components']; readonly packagesOf: PackagesOf },
): Promise<SuitePackages> {
  const added: AptPackage[] = []
  const removed: AptPackageKey[] = []
  for (const { before, after } of changes) {
    const { application } = after
    const component = componentOf(options.components, application)
    const was = new Set(offered(before, channel))
    const is = new Set(offered(after, channel))
    for (const release of before.releases) {
      if (was.has(release.version) && !is.has(release.version)) removed.push(...keysOf(release, component))
    }
    for (const release of after.releases) {
      if (was.has(release.version) || !is.has(release.version) || release.debs.length === 0) continue
      added.push(...(await options.packagesOf(application, release)))
    }
  }
  return { added, removed }
}

function keysOf({ debs }: ListedRelease, component: string): readonly AptPackageKey[] {
  return debs.map(deb => ({ component, ...deb }))
}

async function packagesIn(
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
