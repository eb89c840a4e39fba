import { ReleaseError } from '../core/error.ts'
import type { TarEntry } from '../payload/tar.ts'

/** What a Debian package says of itself. Source: deb-control(5). */
export interface DebControl {
  readonly package: string
  /** As `debianVersion` of core/version.ts maps it. */
  readonly version: string
  readonly architecture: string
  readonly maintainer: string
  readonly depends: readonly string[]
  readonly recommends: readonly string[]
  readonly section: string
  readonly priority: string
  readonly homepage?: string
  /** One line. */
  readonly summary: string
  /** Paragraphs below it, separated by empty lines. */
  readonly description?: string
}

/**
 * Render the control file, fields in dpkg's order.
 *
 * Errors: DEB_FIELD (a value that would break the file or that dpkg refuses).
 * Source: deb-control(5); the order of Dpkg::Control::FieldsCore.
 */
export function renderControl(control: DebControl, installedSizeKib: number): string {
  assertForm('Package', control.package, /^[a-z0-9][a-z0-9+.-]+$/)
  assertForm('Version', control.version, /^(\d+:)?\d[A-Za-z0-9.+~:-]*$/)
  assertForm('Architecture', control.architecture, /^[a-z0-9-]+$/)
  const fields: readonly (readonly [string, string | undefined])[] = [
    ['Package', control.package],
    ['Version', control.version],
    ['Architecture', control.architecture],
    ['Maintainer', control.maintainer],
    ['Installed-Size', String(installedSizeKib)],
    ['Depends', relations(control.depends)],
    ['Recommends', relations(control.recommends)],
    ['Section', control.section],
    ['Priority', control.priority],
    ['Homepage', control.homepage],
    ['Description', control.summary],
  ]
  const lines = fields.flatMap(([name, value]) => (value === undefined ? [] : [fieldLine(name, value)]))
  return `${[...lines, ...descriptionLines(control.description ?? '')].join('\n')}\n`
}

/**
 * Estimate the space that an installed package takes, in KiB.
 *
 * Every file and link is rounded up to 1 KiB, every folder counts as 1 KiB. Source: deb-substvars(5), Installed-Size.
 */
export function installedSizeKib(members: readonly TarEntry[]): number {
  return members.reduce((sum, member) => sum + memberKib(member), 0)
}

function memberKib(member: TarEntry): number {
  switch (member.type) {
    case 'directory':
      return 1
    case 'file':
      return Math.ceil(member.sizeBytes / 1024)
    case 'symlink':
      return Math.ceil(Buffer.byteLength(member.linkTarget) / 1024)
  }
}

function fieldLine(name: string, value: string): string {
  assertForm(name, value, /^[^\s\u0000-\u001f\u007f][^\u0000-\u001f\u007f]*$/)
  return `${name}: ${value}`
}

function relations(list: readonly string[]): string | undefined {
  return list.length === 0 ? undefined : list.join(', ')
}

/** Lines of the extended description: one space before each, a dot for an empty one. */
function descriptionLines(description: string): string[] {
  const text = description.trim()
  if (text === '') return []
  assertForm('Description', text, /^[^\u0000-\u0008\u000b-\u001f\u007f]*$/)
  return text.split('\n').map(line => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`))
}

function assertForm(name: string, value: string, form: RegExp): void {
  if (form.test(value)) return
  throw new ReleaseError('DEB_FIELD', `the control field ${name} cannot be ${JSON.stringify(value.slice(0, 200))}`, {
    details: { field: name },
  })
}
