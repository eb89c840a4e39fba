import fs from 'node:fs'
import path from 'node:path'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import { makeFolder, readFile, writeFileAtomic } from '../sys/files.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'

/**
 * Make what outlives releases: folders below `shared/`, and configuration files from the release's templates.
 *
 * Post: a file that exists is never touched; hence run again for every release. What was written, for people.
 * Errors: RECIPE_PLACEHOLDER, FILE_IO.
 */
export function makeShared(options: {
  readonly paths: PrefixPaths
  readonly version: string
  readonly node: Pick<NodeRecipe, 'shared' | 'files'>
  readonly values: Readonly<Record<string, string>>
}): readonly string[] {
  const { paths, version, node, values } = options
  for (const folder of node.shared) makeFolder(path.join(paths.shared, folder), { mode: 0o750 })
  return node.files.flatMap(({ path: name, template, mode }) => {
    const file = path.join(paths.shared, name)
    makeFolder(path.dirname(file), { mode: 0o750 })
    if (template === undefined || fs.existsSync(file)) return []
    const text = readFile(path.join(releasePaths(paths, version).root, template)).toString()
    // The creation mode is subject to the umask, which must not decide who reads a configuration.
    writeFileAtomic(file, fillPlaceholders(text, values, template), { mode: 0o600 })
    fs.chmodSync(file, Number.parseInt(mode, 8))
    return [name]
  })
}
