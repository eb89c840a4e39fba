import { ReleaseError } from '../../core/error.ts'
import { compareBytes } from '../../core/relative-path.ts'
import { type ListedPython, poolKey, type ReleaseIndex } from '../../trust/layout.ts'
import { normalizedProject } from '../artifacts.ts'

/** A distribution as the index of its project lists it. */
export interface IndexedFile {
  readonly file: ListedPython
  /** Its key in the pool. */
  readonly key: string
  /** Why nobody is to take it unasked: every release that brings it was withdrawn. */
  readonly yanked?: string
}

/**
 * Collect the distributions of an application by project, under its one spelling, oldest first.
 *
 * Shape: a file that several releases bring is named once, where the oldest has it: they bring the same bytes (claims.ts). Snapshots are
 * left out, for pip knows no channels; a project that has nothing else, or that is only among the `claimed`, has no files. Errors:
 * PACKAGE_INVALID (a project that is no name). Source: PEP 503 and PEP 508 (names), PEP 592 (yanked).
 */
export function filesByProject(
  index: ReleaseIndex,
  claimed: readonly string[],
): ReadonlyMap<string, readonly IndexedFile[]> {
  const brought = index.releases.flatMap(release => release.python.map(file => ({ file, release })))
  const projects = new Map(
    [...claimed, ...brought.map(({ file }) => parseProject(file))].map(project => [
      project,
      new Map<string, IndexedFile>(),
    ]),
  )
  for (const { file, release } of brought) {
    if (release.snapshot) continue
    const files = projects.get(parseProject(file))!
    const before = files.get(file.name)
    files.set(file.name, joined(before, file, poolKey(index.application, release.version, file.name), release.yanked))
  }
  const sorted = [...projects].toSorted(([a], [b]) => compareBytes(a, b))
  return new Map(sorted.map(([project, files]) => [project, [...files.values()]]))
}

/** A file is withdrawn with the last release that brings it. */
function joined(
  before: IndexedFile | undefined,
  file: ListedPython,
  key: string,
  yanked: { readonly reason: string } | undefined,
): IndexedFile {
  const place = before ?? { file, key }
  const isOffered = yanked === undefined || (before !== undefined && before.yanked === undefined)
  return { file: place.file, key: place.key, ...(isOffered ? {} : { yanked: yanked.reason }) }
}

function parseProject({ name, project }: ListedPython): string {
  if (/^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(project)) return normalizedProject(project)
  throw new ReleaseError('PACKAGE_INVALID', `${name} is of the project ${JSON.stringify(project)}`, {
    details: { artifact: name },
  })
}

/**
 * Read the version of a distribution from its file name; undefined for a name that is neither a wheel's nor a source distribution's.
 *
 * Source: PyPA specifications: binary distribution format, file name convention; source distribution format, file name.
 */
export function distributionVersion(name: string): string | undefined {
  const version = '[0-9][A-Za-z0-9.!+_]*'
  const wheel = new RegExp(`^[^-]+-(${version})(?:-[^-]+){3,4}\\.whl$`)
  const source = new RegExp(`-(${version})(?:\\.tar\\.gz|\\.zip)$`)
  return (wheel.exec(name) ?? source.exec(name))?.[1]
}
