import { ReleaseError } from '../core/error.ts'
import type { Tree } from '../core/tree.ts'

/** A package of a release with what it ships. */
export interface ShippedTree {
  readonly package: string
  readonly tree: Tree
}

/**
 * Check that no two packages of a release ship the same file: dpkg would refuse the second on every server.
 *
 * Errors: BUILD_OVERLAP (which file, and both packages).
 */
export function assertDisjoint(shipped: readonly ShippedTree[]): void {
  const owners = new Map<string, string>()
  for (const { package: name, tree } of shipped) {
    for (const entry of tree.entries) {
      if (entry.type === 'directory') continue
      const path = `/${tree.root}/${entry.path}`
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
