import { ReleaseError } from '../../core/error.ts'
import { compareBytes } from '../../core/relative-path.ts'
import { countUntil } from '../../core/sorted.ts'
import { type Edit, findRecords, type RecordList, splitRecords } from './chunks.ts'
import { compressedForms, plainForm } from './forms.ts'
import { editIndex, type MadeIndex } from './index-files.ts'
import { type IndexChange, openPresent, partOf } from './indexes.ts'
import { type StanzaKey, sectionOf, stanzaEdits, stanzas } from './stanzas.ts'
import type { AptPackage } from './state.ts'

/** Lines `PATH SECTION/PACKAGE,…`, by path. Source: DebianRepository/Format, "Contents" indices. */
const lines: RecordList<string> = {
  terminator: '\n',
  keyOf: line => line.slice(0, line.lastIndexOf(' ')),
  compare: compareBytes,
  nameOf: path => path,
  recordsPerChunk: 1024,
}

const contentsForms = [plainForm, compressedForms.gz]
const filesForms = [compressedForms.zst]

/** Where packages are listed that install a path: which of them, in the forms that Contents name them. */
type Locations = ReadonlyMap<string, ReadonlySet<string>>

/**
 * Make the Contents files that change, by path, each with the list of files that it is made of.
 *
 * Contents name no versions, so a package that goes would not tell which paths are still those of another version of it. Beside them
 * stands a list of our own, `Files-ARCHITECTURE`, with the files of each version: what changes in Contents is the difference of the
 * package's versions before and after. A suite that began without Contents lists only what came since, until it is made anew.
 * Errors: PACKAGE_INVALID, REPOSITORY_DAMAGED.
 */
export async function makeContents(change: IndexChange): Promise<ReadonlyMap<string, MadeIndex>> {
  const made = new Map<string, MadeIndex>()
  for (const component of change.components) {
    for (const architecture of change.architectures) {
      const paths = contentsPaths(component, architecture)
      const { added, removed } = partOf(change, component, architecture)
      const isPresent = change.presentOf(paths.contents) !== undefined && change.presentOf(paths.files) !== undefined
      if (isPresent && !change.rebuild && added.length + removed.length === 0) continue
      const before = await openPresent(change, paths.files, { list: stanzas, forms: filesForms })
      const edits = stanzaEdits(added, removed, fileRecord)
      const files = await editIndex(before, edits, { list: stanzas, forms: filesForms })
      const packages = [...new Set(edits.map(edit => edit.key.package))]
      const changes = lineEdits(locationsOf(before.chunks, packages), locationsOf(files.chunks, packages))
      const contents = await openPresent(change, paths.contents, { list: lines, forms: contentsForms })
      made.set(paths.files, files)
      made.set(paths.contents, await editIndex(contents, changes, { list: lines, forms: contentsForms }))
    }
  }
  return made
}

/** The paths of a Contents file and of the list that it is made of. */
function contentsPaths(component: string, architecture: string): { readonly contents: string; readonly files: string } {
  return { contents: `${component}/Contents-${architecture}`, files: `${component}/Files-${architecture}` }
}

function fileRecord(entry: AptPackage): string {
  const paths = [...new Set(entry.files ?? [])].sort(compareBytes)
  const strange = paths.find(path => path === '' || /[\u0000-\u001f\u007f]/.test(path))
  if (strange !== undefined) {
    throw new ReleaseError(
      'PACKAGE_INVALID',
      `${entry.package} ${entry.version} cannot be listed: it installs ${JSON.stringify(strange.slice(0, 200))}`,
      { details: { package: entry.package, version: entry.version } },
    )
  }
  const location = `${sectionOf(entry.stanza).replaceAll(/[\s,]+/g, '-')}/${entry.package}`
  const fields = [`Package: ${entry.package}`, `Version: ${entry.version}`, `Architecture: ${entry.architecture}`]
  return `${[...fields, `Location: ${location}`, 'Files:', ...paths.map(path => ` ${path}`)].join('\n')}\n\n`
}

/** Read which paths the packages install. Pre: sorted names. */
function locationsOf(chunks: readonly Buffer[], packages: readonly string[]): Locations {
  const wanted = new Set(packages)
  const mayHold = (first: StanzaKey, next: StanzaKey | undefined): boolean =>
    isAnyBetween(packages, first.package, next?.package)
  const locations = new Map<string, Set<string>>()
  for (const record of findRecords(chunks, stanzas, mayHold)) {
    if (!wanted.has(stanzas.keyOf(record).package)) continue
    const location = /^Location: (.*)$/m.exec(record)![1]!
    for (const line of splitRecords(record.slice(record.indexOf('\nFiles:\n') + '\nFiles:\n'.length, -1), lines)) {
      const path = line.slice(1, -1)
      locations.set(path, (locations.get(path) ?? new Set()).add(location))
    }
  }
  return locations
}

function isAnyBetween(sorted: readonly string[], first: string, last: string | undefined): boolean {
  const found = sorted[countUntil(sorted.length, at => compareBytes(sorted[at]!, first) < 0)]
  return found !== undefined && (last === undefined || compareBytes(found, last) <= 0)
}

function lineEdits(before: Locations, after: Locations): readonly Edit<string>[] {
  const none: ReadonlySet<string> = new Set()
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort(compareBytes)
  return paths.flatMap(path => {
    const [gone, come] = [before.get(path) ?? none, after.get(path) ?? none]
    if (gone.size === come.size && [...gone].every(location => come.has(location))) return []
    return [
      {
        key: path,
        apply: line => lineOf(path, [...locationsIn(line).filter(location => !gone.has(location)), ...come]),
      },
    ]
  })
}

function locationsIn(line: string | undefined): readonly string[] {
  return line?.slice(line.lastIndexOf(' ') + 1, -1).split(',') ?? []
}

function lineOf(path: string, locations: readonly string[]): string | undefined {
  return locations.length === 0 ? undefined : `${path} ${[...new Set(locations)].sort(compareBytes).join(',')}\n`
}
