import { controlFields, isRelationField, isVendorField, rareFieldProblem } from '../core/debian-fields.ts'
import { isPackageName, relationProblem } from '../core/debian-relation.ts'
import { isDebianVersion } from '../core/debian-version.ts'
import { ReleaseError } from '../core/error.ts'
import { compareBytes } from '../core/relative-path.ts'
import type { TarEntry } from '../payload/tar.ts'
import { wrapWords } from './wrap-words.ts'

/** What a Debian package says of itself. Source: deb-control(5). */
export interface DebControl {
  readonly package: string
  /** As `debianVersion` of core/version.ts maps it. */
  readonly version: string
  readonly architecture: string
  readonly maintainer: string
  /** One line. */
  readonly summary: string
  /** Paragraphs below it, separated by empty lines. */
  readonly description?: string | undefined
  /** All other fields by their names: relations as lists, the rest as text. An empty list is left out. */
  readonly fields: Readonly<Record<string, string | readonly string[]>>
}

/** Fields that only this file writes. */
const ownFields = ['Package', 'Version', 'Architecture', 'Maintainer', 'Installed-Size', 'Description']
/** Fields whose text has no form of its own here. */
const textFields = ['Source', 'Section', 'Priority', 'Multi-Arch', 'Homepage']

/**
 * Render the control file, fields in dpkg's order, a vendor's own last.
 *
 * Errors: DEB_FIELD (a value that would break the file or that dpkg refuses). Source: deb-control(5).
 */
export function renderControl(control: DebControl, installedSizeKib: number): string {
  const values = new Map<string, string>()
  for (const [name, value] of Object.entries(control.fields)) {
    const text = typeof value === 'string' ? value : value.join(', ')
    if (typeof value === 'string' || value.length > 0) values.set(name, checked(name, value, text))
  }
  assertValue('Package', control.package, isPackageName(control.package))
  assertValue('Version', control.version, isDebianVersion(control.version))
  assertValue('Architecture', control.architecture, /^[a-z0-9][a-z0-9-]*$/.test(control.architecture))
  values.set('Package', control.package)
  values.set('Version', control.version)
  values.set('Architecture', control.architecture)
  values.set('Maintainer', control.maintainer)
  values.set('Installed-Size', String(installedSizeKib))
  values.set('Description', control.summary)
  const vendor = [...values.keys()].filter(isVendorField).sort(compareBytes)
  const lines = [...controlFields, ...vendor].flatMap(name => {
    const value = values.get(name)
    if (value === undefined) return []
    const line = fieldLine(name, value)
    return name === 'Description' ? [line, ...descriptionLines(control.description ?? '')] : [line]
  })
  return `${lines.join('\n')}\n`
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

/** Check a field of the map by what it is. Returns its text. */
function checked(name: string, value: string | readonly string[], text: string): string {
  if (ownFields.includes(name)) throw new Error(`the field ${name} has a member of its own`)
  if (isRelationField(name)) {
    for (const relation of typeof value === 'string' ? value.split(',').map(item => item.trim()) : value) {
      const problem = relationProblem(name, relation)
      if (problem !== undefined) throw fieldError(name, relation, problem)
    }
    return text
  }
  const problem = textFields.includes(name) ? undefined : rareFieldProblem(name, text)
  if (problem !== undefined) throw fieldError(name, text, problem)
  return text
}

function fieldLine(name: string, value: string): string {
  assertValue(name, value, /^[^\s\u0000-\u001f\u007f][^\u0000-\u001f\u007f]*$/.test(value))
  return `${name}: ${value}`
}

/** Lines of the extended description: one space before each, a dot for an empty one; long ones are broken, unless they are set in verbatim. */
function descriptionLines(description: string): string[] {
  const text = description.trim()
  if (text === '') return []
  assertValue('Description', text, /^[^\u0000-\u0008\u000b-\u001f\u007f]*$/.test(text))
  return text.split('\n').flatMap(line => {
    if (line.trim() === '') return [' .']
    return /^\s/.test(line) ? [` ${line.trimEnd()}`] : wrapWords(line.trimEnd(), 79).map(part => ` ${part}`)
  })
}

function assertValue(name: string, value: string, isRight: boolean): void {
  if (!isRight) throw fieldError(name, value)
}

function fieldError(name: string, value: string, problem?: string): ReleaseError {
  const found = JSON.stringify(value.slice(0, 200))
  const message = `the control field ${name} cannot be ${found}${problem === undefined ? '' : `: ${problem}`}`
  return new ReleaseError('DEB_FIELD', message, { details: { field: name } })
}
