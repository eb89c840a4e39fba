import { ReleaseError } from '../core/error.ts'
import type { Recipe } from '../recipe/schema.ts'
import { addToChangelog } from './changelog.ts'
import { readEditable } from './checkout.ts'
import type { FileEdit } from './scratch.ts'
import { setVersion } from './version-file.ts'

/** What the release commit changes, and this release's part of the changelog. */
export interface ReleaseEdits {
  readonly edits: readonly FileEdit[]
  readonly changes: string
}

/**
 * Work out the version files and the changelog of a release. Post: nothing is written.
 *
 * Shape: only files whose content changes, each once. Errors: VERSION_FILE_INVALID, SOURCE_EDIT_UNSAFE.
 */
export function planEdits(
  checkout: string,
  source: Recipe['source'],
  release: { readonly version: string; readonly timeSeconds: number; readonly changes: string },
): ReleaseEdits {
  const before = new Map<string, string | undefined>()
  const after = new Map<string, string>()
  const read = (file: string): string | undefined => {
    if (!before.has(file)) before.set(file, readEditable(checkout, file))
    return after.get(file) ?? before.get(file)
  }
  for (const file of source.versionFiles) {
    const text = read(file.path)
    if (text === undefined)
      throw new ReleaseError(
        'VERSION_FILE_INVALID',
        `the version cannot be set in ${file.path}: the commit has no such file`,
        {
          details: { path: file.path },
        },
      )
    after.set(file.path, setVersion(text, file, release.version))
  }
  let { changes } = release
  if (source.changelog !== false) {
    const added = addToChangelog(read(source.changelog), release)
    after.set(source.changelog, added.changelog)
    changes = added.changes
  }
  const edits = [...after].flatMap(([path, content]) => (content === before.get(path) ? [] : [{ path, content }]))
  return { edits, changes }
}
