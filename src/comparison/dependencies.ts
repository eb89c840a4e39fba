import type { Pair } from './difference.ts'
import type { EntryChange } from './manifests.ts'

/** A dependency that is in both payloads, or in one, in another version. */
export interface DependencyChange {
  /** What is below one of these folders changed for that reason. */
  readonly folders: readonly string[]
  readonly why: string
}

const npmPackage = /^((?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+))\/package\.json$/
const distInfo = /^((?:.*\/)?)([^/]+)-([^/-]+)\.dist-info\//

/** Name the files that tell the version of an npm dependency and have changed. */
export function changedPackages(changes: readonly EntryChange[]): readonly string[] {
  return changes.flatMap(({ kind, path }) => (kind === 'content' && npmPackage.test(path) ? [path] : []))
}

/** Find the dependencies whose versions differ. `packages` are both texts of each file that {@link changedPackages} names. */
export function changedDependencies(
  changes: readonly EntryChange[],
  packages: ReadonlyMap<string, Pair<string>>,
): readonly DependencyChange[] {
  return [...npmChanges(packages), ...npmPresence(changes), ...pythonChanges(changes)]
}

/** Say why a file changed if a dependency that it belongs to did; empty when none did. */
export function reasonOfDependency(path: string, dependencies: readonly DependencyChange[]): string {
  // The innermost: a dependency may bring dependencies of its own.
  const found = dependencies
    .flatMap(({ folders, why }) => folders.map(folder => ({ folder, why })))
    .filter(({ folder }) => path === folder || path.startsWith(`${folder}/`))
    .toSorted((a, b) => b.folder.length - a.folder.length)
  return found[0]?.why ?? ''
}

function npmChanges(packages: ReadonlyMap<string, Pair<string>>): readonly DependencyChange[] {
  return [...packages].flatMap(([path, { released, rebuilt }]) => {
    const [, folder, name] = npmPackage.exec(path) ?? []
    const [before, now] = [versionOf(released), versionOf(rebuilt)]
    if (folder === undefined || before === undefined || now === undefined || before === now) return []
    return [{ folders: [folder], why: whyVersion(`npm dependency ${name}`, before, now) }]
  })
}

function npmPresence(changes: readonly EntryChange[]): readonly DependencyChange[] {
  return changes.flatMap(({ kind, path }) => {
    const [, folder, name] = npmPackage.exec(path) ?? []
    if (folder === undefined || (kind !== 'added' && kind !== 'removed')) return []
    return [{ folders: [folder], why: whyPresence(`npm dependency ${name}`, kind) }]
  })
}

/** The version is in the folder's name, which comes with modules of the project's name. Source: packaging.python.org, recording-installed-packages. */
function pythonChanges(changes: readonly EntryChange[]): readonly DependencyChange[] {
  const versions = new Map<string, { removed?: string; added?: string }>()
  for (const { kind, path } of changes) {
    const [, base, name, version] = distInfo.exec(path) ?? []
    if (base === undefined || version === undefined || (kind !== 'added' && kind !== 'removed')) continue
    versions.set(`${base}${name}`, { ...versions.get(`${base}${name}`), [kind]: version })
  }
  return [...versions].map(([place, { removed, added }]) => {
    const what = `Python dependency ${place.split('/').at(-1)}`
    const folders = [place, ...[removed, added].map(version => `${place}-${version}.dist-info`)]
    if (removed !== undefined && added !== undefined) return { folders, why: whyVersion(what, removed, added) }
    return { folders, why: whyPresence(what, added === undefined ? 'removed' : 'added') }
  })
}

function whyVersion(what: string, released: string, rebuilt: string): string {
  return `the ${what} is ${released} in the release and ${rebuilt} now: the lock file does not hold it fast`
}

function whyPresence(what: string, kind: 'added' | 'removed'): string {
  return kind === 'added' ? `the ${what} is not in the release` : `the ${what} is in the release alone`
}

function versionOf(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined
    return typeof version === 'string' ? version : undefined
  } catch {
    // A file of that name need not be npm's.
    return undefined
  }
}
