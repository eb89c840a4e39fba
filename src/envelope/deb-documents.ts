import zlib from 'node:zlib'
import { ReleaseError } from '../core/error.ts'
import type { SmallEntry } from './small-tar.ts'
import { wrapWords } from './wrap-words.ts'

/** A version as a package's changelog tells of it. */
export interface DebChange {
  /** Debian's. */
  readonly version: string
  /** Seconds since 1970. */
  readonly timeSeconds: number
  /** Markdown: that release's part of the changelog. */
  readonly changes: string
}

/** A package's changelog, newest version first. */
export interface DebChangelog {
  /** The name of the source package. */
  readonly source: string
  readonly maintainer: string
  readonly entries: readonly DebChange[]
}

/** A complaint of lintian that a package is to be left alone with. */
export interface LintianOverride {
  readonly tag: string
  /** What follows the tag, `*` for any text; everything when absent. */
  readonly context?: string | undefined
  /** One line. */
  readonly reason: string
}

/**
 * Render `changelog.Debian`, an entry for each version: each list item or paragraph of the changes becomes an item.
 *
 * Source: deb-changelog(5): title, items by two spaces and a star, trailer with an RFC 5322 date.
 */
export function renderChangelog(changelog: DebChangelog): string {
  assertLine('maintainer', changelog.maintainer)
  return changelog.entries.map(entry => renderEntry(changelog, entry)).join('\n')
}

function renderEntry(changelog: DebChangelog, { version, timeSeconds, changes }: DebChange): string {
  const title = `${changelog.source} (${version}) unstable; urgency=medium`
  const trailer = ` -- ${changelog.maintainer}  ${mailDate(timeSeconds)}`
  return `${title}\n\n${changeLines(changes).join('\n')}\n\n${trailer}\n`
}

function changeLines(changes: string): readonly string[] {
  // A line that goes on with an item of a list, as Markdown has it, belongs to it.
  const items = changes
    .replace(/\n[ \t]+(?=[^\s*-])/g, ' ')
    .split('\n')
    .map(line => line.replace(/[\u0000-\u001f\u007f]/g, ' ').trim())
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => line.replace(/^[-*] +/, ''))
  return (items.length === 0 ? ['New release.'] : items).flatMap(itemLines)
}

function itemLines(item: string): readonly string[] {
  return wrapWords(item, 76).map((line, index) => `${index === 0 ? '  * ' : '    '}${line}`)
}

/** The licences whose text every Debian system has, by SPDX identifier. Source: Debian policy §12.5; base-files. */
const commonLicences: Readonly<Record<string, string>> = {
  'Apache-2.0': 'Apache-2.0',
  'Artistic-1.0-Perl': 'Artistic',
  'CC0-1.0': 'CC0-1.0',
  'GFDL-1.2-only': 'GFDL-1.2',
  'GFDL-1.3-only': 'GFDL-1.3',
  'GPL-1.0-only': 'GPL-1',
  'GPL-1.0-or-later': 'GPL-1',
  'GPL-2.0-only': 'GPL-2',
  'GPL-2.0-or-later': 'GPL-2',
  'GPL-3.0-only': 'GPL-3',
  'GPL-3.0-or-later': 'GPL-3',
  'LGPL-2.0-only': 'LGPL-2',
  'LGPL-2.0-or-later': 'LGPL-2',
  'LGPL-2.1-only': 'LGPL-2.1',
  'LGPL-2.1-or-later': 'LGPL-2.1',
  'LGPL-3.0-only': 'LGPL-3',
  'LGPL-3.0-or-later': 'LGPL-3',
  'MPL-1.1': 'MPL-1.1',
  'MPL-2.0': 'MPL-2.0',
}

/**
 * Render `copyright` in Debian's machine-readable form.
 *
 * Source: copyright-format 1.0: the licence's short name (SPDX's is close enough for machines to read); Debian policy §12.5.
 */
export function renderCopyright(options: {
  readonly name: string
  readonly licence: string
  readonly maintainer: string
  readonly homepage?: string | undefined
  readonly sourceDateEpoch: number
}): string {
  for (const value of [options.licence, options.maintainer, options.homepage ?? '']) assertLine('copyright', value)
  const year = new Date(options.sourceDateEpoch * 1000).getUTCFullYear()
  const common = commonLicences[options.licence]
  const lines = [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
    `Upstream-Name: ${options.name}`,
    ...(options.homepage === undefined ? [] : [`Source: ${options.homepage}`]),
    '',
    'Files: *',
    `Copyright: ${year} ${options.maintainer}`,
    `License: ${options.licence}`,
    ...(common === undefined
      ? [
          ' The licence of this package is named by its SPDX identifier; its text is at',
          ' https://spdx.org/licenses/ and in the package where its makers put it.',
        ]
      : [` On Debian systems the text of this licence is /usr/share/common-licenses/${common}.`]),
  ]
  return `${lines.join('\n')}\n`
}

/** Compress a document as Debian wants it: the best that gzip can, without a name or a time. Source: Debian policy §12.7; gzip -9n. */
export function compressedDocument(path: string, bytes: Uint8Array | string): SmallEntry {
  return { type: 'file', path: `${path}.gz`, mode: 0o644, bytes: zlib.gzipSync(bytes, { level: 9 }) }
}

/**
 * Put a manual page where `man` looks for it; `name` is its file name, such as `notes.1`.
 *
 * Errors: DEB_FIELD (a name without a section). Source: hier(7); Debian policy §12.1.
 */
export function manualPage(name: string, bytes: Uint8Array): SmallEntry {
  const section = /^[^/]+\.([1-9])[a-z0-9]*$/.exec(name)?.[1]
  if (section === undefined)
    throw new ReleaseError('DEB_FIELD', `the manual page ${name} has no section, expected a name such as notes.1`)
  return compressedDocument(`usr/share/man/man${section}/${name}`, bytes)
}

/**
 * Render a package's lintian overrides, each below its reason.
 *
 * Source: Lintian User's Manual §2.4: `[PACKAGE:] TAG [CONTEXT]`, comments above belong to an override.
 */
export function renderOverrides(name: string, overrides: readonly LintianOverride[]): string {
  const texts = overrides.map(({ tag, context, reason }) => {
    for (const text of [tag, context ?? '', reason]) assertLine('lintian override', text)
    return `# ${reason}\n${name}: ${tag}${context === undefined ? '' : ` ${context}`}\n`
  })
  return texts.join('\n')
}

function mailDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString().replace('GMT', '+0000')
}

function assertLine(what: string, text: string): void {
  if (!/[\u0000-\u001f\u007f]/.test(text)) return
  throw new ReleaseError('DEB_FIELD', `the ${what} of a package cannot be ${JSON.stringify(text.slice(0, 200))}`)
}
