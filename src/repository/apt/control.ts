import { hexOf } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import type { Artifact } from '../../payload/release-record.ts'

/** A Debian package of a release. */
export type DebArtifact = Extract<Artifact, { readonly kind: 'deb' }>

/** Fields that an index states itself: a control file that has them could point apt at other bytes. */
const indexFields: ReadonlySet<string> = new Set(['filename', 'size', 'md5sum', 'sha1', 'sha256', 'sha512'])

/**
 * Render a package's stanza of a Packages file from its control text.
 *
 * Errors: PACKAGE_INVALID: the control text is not one stanza, has a field of the index, or names another package than the
 * record. Source: deb-control(5), Debian policy §5.1.
 */
export function renderStanza(deb: DebArtifact, filename: string): string {
  const fields = parseControl(deb.control, deb.name)
  for (const [field, expected] of [
    ['package', deb.package],
    ['version', deb.debianVersion],
    ['architecture', deb.architecture],
  ] as const) {
    if (fields.get(field) === expected) continue
    throw invalid(deb.name, `${field} is ${fields.get(field) ?? 'missing'}, the record says ${expected}`)
  }
  return `${deb.control.trimEnd()}\nFilename: ${filename}\nSize: ${deb.sizeBytes}\nSHA256: ${hexOf(deb.digest)}\n`
}

/** Read the single-line part of each field of a control text, names in lower case. Errors: PACKAGE_INVALID. */
export function parseControl(text: string, place: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.trimEnd().split('\n')) {
    if (/^[ \t]+\S/.test(line) && fields.size > 0) continue
    const match = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line)
    const name = match?.[1]?.toLowerCase()
    // A blank line would start another stanza, and so another package of the author's choice.
    if (name === undefined || name.startsWith('#') || name.startsWith('-')) {
      throw invalid(place, `not a control line: ${JSON.stringify(line.slice(0, 80))}`)
    }
    if (fields.has(name)) throw invalid(place, `the field ${name} is there twice`)
    if (indexFields.has(name)) throw invalid(place, `the field ${name} belongs to the index`)
    fields.set(name, match?.[2]?.trim() ?? '')
  }
  return fields
}

function invalid(place: string, reason: string): ReleaseError {
  return new ReleaseError('PACKAGE_INVALID', `the control text of ${place} cannot be listed: ${reason}`, {
    details: { artifact: place },
  })
}
