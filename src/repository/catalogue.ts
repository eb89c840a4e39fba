import type { Digest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { compareBytes } from '../core/relative-path.ts'
import { compareVersions, isPreRelease } from '../core/version.ts'
import type { Artifact, ReleaseRecord } from '../payload/release-record.ts'
import type { RepositoryDescription } from '../trust/layout.ts'
import type { Suite } from './apt/suite.ts'

/** Everything that a repository offers; every generated file is a function of it. */
export interface Catalogue {
  readonly description: RepositoryDescription
  /** In byte order of their names. */
  readonly applications: readonly CatalogueEntry[]
}

/** An application with its releases in order of precedence, oldest first. */
export interface CatalogueEntry {
  readonly name: string
  readonly releases: readonly ReleaseRecord[]
}

/** An artifact of one kind. */
export type ArtifactOf<Kind extends Artifact['kind']> = Extract<Artifact, { readonly kind: Kind }>

/** The artifacts of a release that are of one kind. */
export function artifactsOf<Kind extends Artifact['kind']>(record: ReleaseRecord, kind: Kind): ArtifactOf<Kind>[] {
  return record.components
    .flatMap(component => component.artifacts)
    .filter((artifact): artifact is ArtifactOf<Kind> => artifact.kind === kind)
}

/** The suite that a release belongs to: whoever takes `stable` never gets a pre-release or a branch. */
export function suiteOf(record: ReleaseRecord): Suite {
  return record.tag === undefined || isPreRelease(record.version) ? 'edge' : 'stable'
}

/**
 * Add a release to a catalogue.
 *
 * Errors: REPOSITORY_CONFLICT when a package or Python project of it belongs to another application, or the same package
 * in the same version, or a Python file of the same name with other bytes, to another release: an application's key must not reach into
 * another's packages.
 */
export function withRelease(catalogue: Catalogue, record: ReleaseRecord): Catalogue {
  const extended = withApplications(catalogue, [record.name])
  const applications = extended.applications.map(entry => {
    if (entry.name !== record.name) return entry
    const others = entry.releases.filter(release => release.version !== record.version)
    const releases = [...others, record].toSorted((a, b) => compareVersions(a.version, b.version))
    return { name: entry.name, releases }
  })
  assertUnclaimed(applications, record)
  return { ...extended, applications }
}

/** Add applications that have no release yet. */
export function withApplications(catalogue: Catalogue, names: readonly string[]): Catalogue {
  const known = new Set(catalogue.applications.map(entry => entry.name))
  const added = [...new Set(names)].filter(name => !known.has(name)).map(name => ({ name, releases: [] }))
  return {
    ...catalogue,
    applications: [...catalogue.applications, ...added].toSorted((a, b) => compareBytes(a.name, b.name)),
  }
}

/** What only one application or one release may have. */
interface Claim {
  readonly what: string
  /** Given where several releases may have it, as long as it is the same. */
  readonly digest?: Digest
}

function claims(record: ReleaseRecord): Readonly<Record<'application' | 'release', readonly Claim[]>> {
  const debs = artifactsOf(record, 'deb')
  const python = artifactsOf(record, 'python')
  // The index of Python leaves snapshots out.
  const listed = record.tag === undefined ? [] : python
  return {
    application: [
      ...debs.map(deb => ({ what: `the package ${deb.package}` })),
      ...python.map(file => ({ what: `the project ${normalizedProject(file.project)}` })),
    ],
    release: [
      ...debs.map(deb => ({ what: `the package ${deb.package} ${deb.debianVersion} ${deb.architecture}` })),
      // A dependency keeps its version, and so its name, over many releases of the application that brings it.
      ...listed.map(file => ({ what: `the file ${file.name}`, digest: file.digest })),
    ],
  }
}

function assertUnclaimed(applications: readonly CatalogueEntry[], record: ReleaseRecord): void {
  const own = claims(record)
  for (const published of applications.flatMap(entry => entry.releases)) {
    const scope =
      published.name !== record.name ? 'application' : published.version !== record.version ? 'release' : undefined
    if (scope === undefined) continue
    const taken = new Map(claims(published)[scope].map(claim => [claim.what, claim]))
    const clash = own[scope].find(({ what, digest }) => {
      const other = taken.get(what)
      return other !== undefined && (digest === undefined || digest !== other.digest)
    })
    if (clash !== undefined) throw claimedError(clash, record, published)
  }
}

function claimedError(clash: Claim, record: ReleaseRecord, published: ReleaseRecord): ReleaseError {
  const details = {
    application: record.name,
    version: record.version,
    other: `${published.name} ${published.version}`,
  }
  const which = `${clash.what} of ${record.name} ${record.version}`
  if (clash.digest === undefined)
    return new ReleaseError('REPOSITORY_CONFLICT', `${which} is one of ${details.other} already`, { details })
  return new ReleaseError('REPOSITORY_CONFLICT', `${which} has other bytes than that of ${details.other}`, {
    hint: 'let its build depend on nothing but its own sources (a SOURCE_DATE_EPOCH of its own), or raise its version; then cut a new version',
    details,
  })
}

/** The one spelling of a Python project's name. Source: PEP 503. */
export function normalizedProject(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase()
}
