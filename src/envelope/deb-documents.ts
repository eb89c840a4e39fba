import { ReleaseError } from '../core/error.ts'

/** What a package's changelog tells of its version. */
export interface DebChange {
  readonly package: string
  readonly version: string
  readonly maintainer: string
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number
  /** Markdown: this release's part of the changelog. */
  readonly changes: string
}

/**
 * Render `changelog.Debian` with one entry: each list item or line of the changes becomes an item.
 *
 * Source: deb-changelog(5): title, items by two spaces and a star, trailer with an RFC 5322 date.
 */
export function renderChangelog(change: DebChange): string {
  assertLine('maintainer', change.maintainer)
  const lines = change.changes
    .split('\n')
    .map(line => line.replace(/[\u0000-\u001f\u007f]/g, ' ').trim())
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => `  * ${line.replace(/^[-*] +/, '')}`)
  const items = lines.length === 0 ? ['  * New release.'] : lines
  const title = `${change.package} (${change.version}) unstable; urgency=medium`
  return `${title}\n\n${items.join('\n')}\n\n -- ${change.maintainer}  ${mailDate(change.sourceDateEpoch)}\n`
}

/**
 * Render `copyright` in Debian's machine-readable form.
 *
 * Source: copyright-format 1.0: the licence's short name (SPDX's is close enough for machines to read).
 */
export function renderCopyright(options: {
  readonly name: string
  readonly licence: string
  readonly maintainer: string
  readonly homepage?: string
  readonly sourceDateEpoch: number
}): string {
  for (const value of [options.licence, options.maintainer, options.homepage ?? '']) assertLine('copyright', value)
  const year = new Date(options.sourceDateEpoch * 1000).getUTCFullYear()
  const lines = [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
    `Upstream-Name: ${options.name}`,
    ...(options.homepage === undefined ? [] : [`Source: ${options.homepage}`]),
    '',
    'Files: *',
    `Copyright: ${year} ${options.maintainer}`,
    `License: ${options.licence}`,
    ' The licence of this package is named by its SPDX identifier; its text is at',
    ` https://spdx.org/licenses/ and in the package where its makers put it.`,
  ]
  return `${lines.join('\n')}\n`
}

function mailDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString().replace('GMT', '+0000')
}

function assertLine(what: string, text: string): void {
  if (!/[\u0000-\u001f\u007f]/.test(text)) return
  throw new ReleaseError('DEB_FIELD', `the ${what} of a package cannot be ${JSON.stringify(text.slice(0, 200))}`)
}
