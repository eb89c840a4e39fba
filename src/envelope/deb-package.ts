import { createHash } from 'node:crypto'
import { ReleaseError } from '../core/error.ts'
import { compareBytes } from '../core/relative-path.ts'
import { rootFolders, tarEntryOf } from '../payload/entry.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import type { TarEntry } from '../payload/tar.ts'
import { type AccountOptions, accountsPart } from './deb-accounts.ts'
import { alternativesPart, type DebAlternative } from './deb-alternatives.ts'
import { type DebControl, installedSizeKib, renderControl } from './deb-control.ts'
import { compressedDocument, type LintianOverride, manualPage, renderOverrides } from './deb-documents.ts'
import { designOverrides } from './deb-overrides.ts'
import { type DebPart, type DebScripts, ownScripts, renderScripts } from './deb-part.ts'
import { type DebUnit, unitsPart } from './deb-units.ts'
import { type SmallEntry, type SmallMember, smallTarMembers } from './small-tar.ts'

/** What a Debian package is, besides its payload. Paths are without the leading slash. */
export interface DebDescription {
  readonly control: DebControl
  readonly scripts: DebScripts
  readonly units: readonly DebUnit[]
  readonly accounts: Omit<AccountOptions, 'package'>
  readonly alternatives: readonly DebAlternative[]
  /** Lines of the control file `triggers`. Source: deb-triggers(5). */
  readonly triggers: readonly string[]
  /** Files outside of the payload. */
  readonly files: readonly SmallEntry[]
  /** Configuration; files below `etc` are so without being named. */
  readonly conffiles: readonly string[]
  /** Configuration of earlier versions that an upgrade removes unless it was changed. */
  readonly removedConffiles: readonly string[]
  /** By their file names, such as `notes.1`. */
  readonly manpages: readonly { readonly name: string; readonly bytes: Uint8Array }[]
  /** Texts: see deb-documents.ts. */
  readonly changelog: string
  readonly copyright: string
  readonly overrides: readonly LintianOverride[]
}

/** The members of a package's archives. */
export interface DebPlan {
  /** What the tail segment holds. */
  readonly tail: readonly SmallMember[]
  readonly controlText: string
  readonly control: readonly SmallMember[]
}

/** More than documents and configuration need; the tail is made in memory. */
const largestTailBytes = 16 * 1024 * 1024

/**
 * Work out what a package has besides its payload: files, control fields, maintainer scripts.
 *
 * `md5sums` are those of the payload's files by path. Errors: DEB_FIELD, DEB_TOO_LARGE. Source: deb(5), deb-control(5), deb-conffiles(5), deb-triggers(5).
 */
export function planDeb(
  description: DebDescription,
  manifest: PayloadManifest,
  md5sums?: ReadonlyMap<string, string>,
): DebPlan {
  const parts = [
    accountsPart({ package: description.control.package, ...description.accounts }),
    ownScripts(description.scripts),
    alternativesPart(description.alternatives),
    unitsPart(description.units),
    documentsPart(description, manifest),
    { entries: description.files },
  ]
  const payload = [...rootFolders(manifest.root), ...manifest.files.map(file => tarEntryOf(manifest.root, file))]
  const tail = tailMembers(parts, payload)
  const members = [...payload, ...tail.map(({ entry }) => entry)]
  assertAlternatives(description.alternatives, members)
  const conffiles = configuration(description, members)
  const controlText = renderControl(withDepends(description.control, parts), installedSizeKib(members))
  const texts = new Map<string, string>([['control', controlText], ...renderScripts(parts)])
  addText(texts, 'conffiles', conffilesText(conffiles, description.removedConffiles, members))
  addText(texts, 'triggers', triggersText(description.triggers))
  if (md5sums !== undefined) addText(texts, 'md5sums', md5sumsText({ manifest, md5sums, tail, conffiles }))
  const control = [...texts].map(([path, text]) => {
    const mode = text.startsWith('#!') ? 0o755 : 0o644
    return { type: 'file' as const, path, mode, bytes: Buffer.from(text) }
  })
  return { tail, controlText, control: smallTarMembers(control) }
}

function documentsPart(description: DebDescription, manifest: PayloadManifest): DebPart {
  const { control, changelog, copyright, manpages } = description
  const folder = `usr/share/doc/${control.package}`
  const overrides = [...designOverrides(control, manifest, changelog), ...description.overrides]
  return {
    entries: [
      compressedDocument(`${folder}/changelog.Debian`, changelog),
      textFile(`${folder}/copyright`, copyright),
      ...manpages.map(page => manualPage(page.name, page.bytes)),
      textFile(`usr/share/lintian/overrides/${control.package}`, renderOverrides(control.package, overrides)),
    ],
  }
}

function textFile(path: string, text: string): SmallEntry {
  return { type: 'file', path, mode: 0o644, bytes: Buffer.from(text) }
}

/** The entries of all parts as members. Errors: DEB_FIELD (one path from two sides), DEB_TOO_LARGE. */
function tailMembers(parts: readonly DebPart[], payload: readonly TarEntry[]): readonly SmallMember[] {
  const entries = parts.flatMap(part => part.entries ?? [])
  assertSmall(entries)
  const folders = payload.flatMap(entry => (entry.type === 'directory' ? [entry.name] : []))
  const tail = smallTarMembers(entries, new Set(folders))
  const taken = new Set(payload.map(entry => withoutSlash(entry.name)))
  for (const { entry } of tail) {
    const path = withoutSlash(entry.name)
    if (taken.has(path)) throw fieldError(`${path} comes into the package twice`, { path })
    taken.add(path)
  }
  return tail
}

function assertSmall(entries: readonly SmallEntry[]): void {
  const files = new Set<string>()
  let sizeBytes = 0
  for (const entry of entries) {
    if (entry.type === 'directory') continue
    if (files.has(entry.path)) throw fieldError(`${entry.path} comes into the package twice`, { path: entry.path })
    files.add(entry.path)
    if (entry.type === 'file') sizeBytes += entry.bytes.byteLength
  }
  if (sizeBytes <= largestTailBytes) return
  const message = `the files outside of the payload have ${sizeBytes} bytes, expected at most ${largestTailBytes}`
  throw new ReleaseError('DEB_TOO_LARGE', message, { details: { sizeBytes }, hint: 'ship them in the payload' })
}

function withoutSlash(name: string): string {
  return name.replace(/\/$/, '')
}

function withDepends(control: DebControl, parts: readonly DebPart[]): DebControl {
  const needed = parts.flatMap(part => part.depends ?? [])
  if (needed.length === 0) return control
  const { Depends: written = [] } = control.fields
  const depends = typeof written === 'string' ? [written] : written
  return { ...control, fields: { ...control.fields, Depends: [...new Set([...depends, ...needed])] } }
}

function assertAlternatives(alternatives: readonly DebAlternative[], members: readonly TarEntry[]): void {
  if (alternatives.length === 0) return
  const files = new Set(members.filter(({ type }) => type !== 'directory').map(({ name }) => name))
  for (const { name, path } of alternatives.flatMap(alternative => [alternative, ...alternative.slaves])) {
    if (files.has(`./${path}`)) continue
    throw fieldError(`the alternative ${name} leads to ${path}, which is not a file of the package`, { path })
  }
}

/** Everything that is configuration: what was named, and the files below /etc. Source: Debian policy §10.7.3; dh_installdeb(1). */
function configuration({ conffiles }: DebDescription, members: readonly TarEntry[]): ReadonlySet<string> {
  const etc = members.filter(({ type, name }) => type === 'file' && name.startsWith('./etc/'))
  return new Set([...conffiles, ...etc.map(({ name }) => name.slice(2)).sort(compareBytes)])
}

function conffilesText(
  conffiles: ReadonlySet<string>,
  removed: readonly string[],
  members: readonly TarEntry[],
): string {
  const types = new Map(members.map(({ name, type }) => [name, type]))
  for (const path of conffiles) {
    if (types.get(`./${path}`) !== 'file')
      throw fieldError(`the conffile ${path} is not a file of the package`, { path })
  }
  for (const path of removed) {
    if (types.has(`./${path}`) || types.has(`./${path}/`))
      throw fieldError(`${path} is to be removed on upgrade, but the package has it`, { path })
  }
  const lines = [...[...conffiles].map(path => `/${path}`), ...removed.map(path => `remove-on-upgrade /${path}`)]
  return lines.map(line => `${line}\n`).join('')
}

function triggersText(triggers: readonly string[]): string {
  for (const line of triggers) {
    if (!/^[a-z-]+ [!-~]+$/.test(line)) throw fieldError(`${JSON.stringify(line)} is not a trigger`, { trigger: line })
  }
  return triggers.map(line => `${line}\n`).join('')
}

/** Lines for every file but the configuration, which may change. Source: dh_md5sums(1). */
function md5sumsText(files: {
  readonly manifest: PayloadManifest
  readonly md5sums: ReadonlyMap<string, string>
  readonly tail: readonly SmallMember[]
  readonly conffiles: ReadonlySet<string>
}): string {
  const { manifest, md5sums, tail, conffiles } = files
  const sums = [
    ...manifest.files.flatMap(({ type, path }) =>
      type === 'file' ? [[`${manifest.root}/${path}`, md5sums.get(path)!] as const] : [],
    ),
    ...tail.flatMap(({ entry, bytes }) =>
      bytes === undefined ? [] : [[entry.name.slice(2), createHash('md5').update(bytes).digest('hex')] as const],
    ),
  ]
  return sums.flatMap(([path, sum]) => (conffiles.has(path) ? [] : [`${sum}  ${path}\n`])).join('')
}

function addText(texts: Map<string, string>, name: string, text: string): void {
  if (text !== '') texts.set(name, text)
}

function fieldError(message: string, details: Readonly<Record<string, string>>): ReleaseError {
  return new ReleaseError('DEB_FIELD', message, { details })
}
