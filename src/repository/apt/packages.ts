import { createHash } from 'node:crypto'
import type { Edit } from './chunks.ts'
import { compressedForms, type IndexForm, plainForm } from './forms.ts'
import { editIndex, hasForms, type MadeIndex } from './index-files.ts'
import { type IndexChange, mergeEdits, openPresent, partOf } from './indexes.ts'
import { type StanzaKey, stanzaEdits, stanzas } from './stanzas.ts'

/** The path of a Packages file without its extension. */
export function packagesPath(component: string, architecture: string): string {
  return `${component}/binary-${architecture}/Packages`
}

/**
 * Make the Packages files that change, by path.
 *
 * Packages of architecture `all` are in those of every architecture, as Debian has them: mirrors and older readers know no other
 * place. binary-all has them too, for those who ask for it, and as what a new architecture begins with.
 * Files that come to the same bytes share them. Errors: PACKAGE_INVALID, REPOSITORY_DAMAGED.
 */
export async function makePackages(change: IndexChange): Promise<ReadonlyMap<string, MadeIndex>> {
  const forms = [plainForm, ...change.settings.compressions.map(name => compressedForms[name])]
  const made = new Map<string, MadeIndex>()
  for (const component of change.components) {
    const ofAll = editsOf(change, component, 'all')
    for (const architecture of change.architectures) {
      const own = architecture === 'all' ? noEdits : editsOf(change, component, architecture)
      const edits = mergeEdits(ofAll.edits, own.edits, stanzas.compare)
      const path = packagesPath(component, architecture)
      if (isCurrent(change, path, forms, edits.length)) continue
      const base = basePath(change, component, path)
      // The same files before and the same edits give the same files after, in whatever suite.
      const before = change.rebuild ? undefined : change.presentOf(base)
      const same = JSON.stringify([before, change.settings.compressions, ofAll.fingerprint, own.fingerprint])
      const make = async () =>
        editIndex(await openPresent(change, base, { list: stanzas, forms }), edits, { list: stanzas, forms })
      const index = change.shared.get(same) ?? make()
      change.shared.set(same, index)
      made.set(path, await index)
    }
  }
  return made
}

/** Edits of one part of a suite; those with the same fingerprint are the same. */
interface Edits {
  readonly edits: readonly Edit<StanzaKey>[]
  readonly fingerprint: string
}

const noEdits: Edits = { edits: [], fingerprint: '' }

function editsOf(change: IndexChange, component: string, architecture: string): Edits {
  const { added, removed } = partOf(change, component, architecture)
  if (added.length + removed.length === 0) return noEdits
  const hash = createHash('sha256')
  for (const { package: name, version, stanza } of added) hash.update(JSON.stringify([name, version, stanza]))
  for (const { package: name, version } of removed) hash.update(JSON.stringify([name, version]))
  const edits = stanzaEdits(added, removed, ({ stanza }) => `${stanza.trimEnd()}\n\n`)
  return { edits, fingerprint: hash.digest('hex') }
}

function isCurrent(change: IndexChange, path: string, forms: readonly IndexForm[], edits: number): boolean {
  const present = change.presentOf(path)
  if (present === undefined || change.rebuild || edits > 0) return false
  return hasForms(
    present,
    forms.map(form => form.extension),
  )
}

/** A new architecture begins with what all have. */
function basePath(change: IndexChange, component: string, path: string): string {
  return change.presentOf(path) === undefined ? packagesPath(component, 'all') : path
}
