import { ReleaseError } from '../../core/error.ts'
import { compareBytes } from '../../core/relative-path.ts'
import type { Edit, RecordList } from './chunks.ts'
import type { AptPackage, AptPackageKey } from './state.ts'
import { compareDebianVersions } from './version-order.ts'

/** What tells a stanza of an index from the others. */
export type StanzaKey = Omit<AptPackageKey, 'component'>

/** Stanzas with a blank line after each, by package, version and architecture. */
export const stanzas: RecordList<StanzaKey> = {
  terminator: '\n\n',
  keyOf: stanza => ({
    package: fieldOf(stanza, packageField),
    version: fieldOf(stanza, versionField),
    architecture: fieldOf(stanza, architectureField),
  }),
  compare: compareKeys,
  nameOf: key => `${key.package}\n${key.version}\n${key.architecture}`,
  recordsPerChunk: 256,
}

const packageField = /^Package:[ \t]*(.*)$/im
const versionField = /^Version:[ \t]*(.*)$/im
const architectureField = /^Architecture:[ \t]*(.*)$/im

function fieldOf(stanza: string, pattern: RegExp): string {
  return pattern.exec(stanza)?.[1]?.trimEnd() ?? ''
}

/** Read the section of a stanza. */
export function sectionOf(stanza: string): string {
  return fieldOf(stanza, /^Section:[ \t]*(.*)$/im) || 'misc'
}

/** The bytes of the version decide between two that mean the same. */
function compareKeys(a: StanzaKey, b: StanzaKey): number {
  return (
    compareBytes(a.package, b.package) ||
    compareDebianVersions(a.version, b.version) ||
    compareBytes(a.version, b.version) ||
    compareBytes(a.architecture, b.architecture)
  )
}

/**
 * Turn packages that come and go into edits of a list of stanzas; one that does both is replaced.
 *
 * Errors: PACKAGE_INVALID: a record does not begin as its package is called.
 */
export function stanzaEdits(
  added: readonly AptPackage[],
  removed: readonly StanzaKey[],
  recordOf: (entry: AptPackage) => string,
): readonly Edit<StanzaKey>[] {
  const edits = new Map<string, Edit<StanzaKey>>()
  for (const key of removed) edits.set(stanzas.nameOf(key), { key, apply: () => undefined })
  for (const entry of added) {
    const record = recordOf(entry)
    const key = stanzas.keyOf(record)
    const name = stanzas.nameOf(key)
    if (name !== stanzas.nameOf(entry)) throw misnamed(entry, name)
    edits.set(name, { key, apply: () => record })
  }
  return [...edits.values()].sort((a, b) => compareKeys(a.key, b.key))
}

function misnamed(entry: AptPackage, name: string): ReleaseError {
  const expected = `${entry.package} ${entry.version} ${entry.architecture}`
  return new ReleaseError(
    'PACKAGE_INVALID',
    `the stanza of ${expected} cannot be listed: it names ${name.replaceAll('\n', ' ')}`,
    { details: { package: entry.package, version: entry.version } },
  )
}
