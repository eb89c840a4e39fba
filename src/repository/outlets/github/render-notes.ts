import type { Digest } from '../../../core/digest.ts'
import type { ReleaseRecord } from '../../../payload/release-record.ts'

/** Source: GitHub's answer to a longer body, 422 "body is too long (maximum is 125000 characters)". */
const longestNotes = 125_000
const roomForMarks = 2000

const warningStart = '<!-- cutover:yanked -->'
const warningEnd = '<!-- /cutover:yanked -->'
/** Browsers write line breaks in their own way. */
const gap = /^\r?\n\r?\n/

/** Say, where people do not see it, which release of which application the notes are of. */
export function ownMark({ name, version }: Pick<ReleaseRecord, 'name' | 'version'>): string {
  return `<!-- cutover:release ${name} ${version} `
}

/** Render the notes of a release: its part of the changelog, a warning on top when it was withdrawn, our mark at the end. */
export function renderNotes(
  record: ReleaseRecord,
  recordDigest: Digest,
  yanked: { readonly reason: string } | undefined,
): string {
  const changes = shortened(record.changes.trim())
  return withWarning(`${changes}\n\n${ownMark(record)}${recordDigest} -->\n`, yanked)
}

/** Set or take away the warning on top of notes, which people may have edited. */
export function withWarning(notes: string, yanked: { readonly reason: string } | undefined): string {
  const from = notes.indexOf(warningStart)
  const to = notes.indexOf(warningEnd)
  const bare =
    from === -1 || to < from ? notes : notes.slice(0, from) + notes.slice(to + warningEnd.length).replace(gap, '')
  if (yanked === undefined) return bare
  const reason = yanked.reason
    .replaceAll(/\s+/g, ' ')
    .replaceAll('-->', '—>')
    .slice(0, roomForMarks / 2)
  const warning = `> [!WARNING]\n> **This release was withdrawn.** ${reason}`
  return `${warningStart}\n${warning}\n${warningEnd}\n\n${bare}`
}

function shortened(changes: string): string {
  const room = longestNotes - roomForMarks
  if (changes.length <= room) return changes
  return `${changes.slice(0, changes.lastIndexOf('\n', room))}\n\n… and more: see the changelog.`
}
