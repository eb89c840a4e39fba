import { ReleaseError } from '../core/error.ts'
import { countUntil } from '../core/sorted.ts'
import type { ListedRelease, ReleaseIndex } from '../trust/layout.ts'
import { normalizedProject } from './artifacts.ts'
import type { Ledger } from './ledger.ts'

/**
 * Refuse a release that takes what belongs to something else.
 *
 * Errors: REPOSITORY_CONFLICT when a package or Python project of it belongs to another application, or the same package in the same version,
 * or a Python file of the same name with other bytes, to another release: an application's key must not reach into another's packages.
 */
export function assertUnclaimed(release: ListedRelease, index: ReleaseIndex, ledger: Ledger): void {
  assertNotAnothers(release, index.application, ledger)
  const others = index.releases.filter(({ version }) => version !== release.version)
  const packages = new Map(others.flatMap(other => packagesOf(other).map(what => [what, other])))
  for (const what of packagesOf(release)) {
    const other = packages.get(what)
    if (other !== undefined) throw claimed(`the package ${what}`, index.application, release, other.version)
  }
  assertSameFiles(release, others, index.application)
}

function assertNotAnothers(release: ListedRelease, application: string, ledger: Ledger): void {
  const packages = release.debs.map(deb => deb.package)
  const projects = release.python.map(file => normalizedProject(file.project))
  for (const [name, summary] of Object.entries(ledger.applications)) {
    if (name === application) continue
    const taken = packages.find(each => isAmong(summary.packages, each))
    if (taken !== undefined) throw claimed(`the package ${taken}`, application, release, name)
    const project = projects.find(each => isAmong(summary.projects, each))
    if (project !== undefined) throw claimed(`the project ${project}`, application, release, name)
  }
}

/** Looked for in the sorted lists of the ledger: a release has few names, the repository many. */
function isAmong(sorted: readonly string[], name: string): boolean {
  return sorted[countUntil(sorted.length, at => sorted[at]! < name)] === name
}

/** A dependency keeps its version, and so its name, over many releases of the application that brings it. */
function assertSameFiles(release: ListedRelease, others: readonly ListedRelease[], application: string): void {
  // The index of Python leaves snapshots out.
  if (release.snapshot) return
  const files = new Map(
    others.filter(({ snapshot }) => !snapshot).flatMap(other => other.python.map(file => [file.name, { other, file }])),
  )
  for (const { name, digest } of release.python) {
    const found = files.get(name)
    if (found === undefined || found.file.digest === digest) continue
    throw new ReleaseError(
      'REPOSITORY_CONFLICT',
      `the file ${name} of ${application} ${release.version} has other bytes than that of ${found.other.version}`,
      {
        hint: 'let its build depend on nothing but its own sources (a SOURCE_DATE_EPOCH of its own), or raise its version; then cut a new version',
        details: { application, version: release.version, other: found.other.version },
      },
    )
  }
}

const packagesOf = (release: ListedRelease): readonly string[] =>
  release.debs.map(deb => `${deb.package} ${deb.version} ${deb.architecture}`)

function claimed(what: string, application: string, { version }: ListedRelease, other: string): ReleaseError {
  return new ReleaseError('REPOSITORY_CONFLICT', `${what} of ${application} ${version} is one of ${other} already`, {
    details: { application, version, other },
  })
}
