import { ReleaseError } from '../core/error.ts'

/** A package of a release with the files and links that it installs, as absolute paths. */
export interface PackageFiles {
  readonly package: string
  readonly files: readonly string[]
}

/**
 * Check that no two packages of a release install the same file: dpkg would refuse the second on every server.
 *
 * Errors: BUILD_OVERLAP (which file, and both packages).
 */
export function assertDisjoint(packages: readonly PackageFiles[]): void {
  const owners = new Map<string, string>()
  for (const { package: name, files } of packages) {
    for (const path of files) {
      const owner = owners.get(path)
      if (owner !== undefined) {
        throw new ReleaseError('BUILD_OVERLAP', `${path} is in the packages ${owner} and ${name}`, {
          details: { path, packages: [owner, name] },
        })
      }
      owners.set(path, name)
    }
  }
}
