import type { ReadEntry } from 'tar'
import { type Digest, Digester, digestOf } from '../core/digest.ts'
import { isErrno, toReleaseError } from '../core/error.ts'
import { Unreadable } from '../evidence/unreadable.ts'
import { readZipMembers } from '../evidence/zip.ts'
import { compareContents, wholeContentBytes, whyPacked } from './content.ts'
import { type BuildFacts, type Difference, type Differences, firstOf, type Pair } from './difference.ts'

/** A member of an archive as far as two of them can differ. */
export interface ArchiveMember {
  readonly name: string
  /** Type, mode, time and the target of a link, as people read them. */
  readonly form: Readonly<Record<string, string>>
  readonly digest: Digest
  /** Undefined when too much is held already. */
  readonly content: Buffer | undefined
}

/** What is kept of the contents of an archive, for looking where they differ. */
const largestHeldBytes = 64 * 1024 * 1024
const largestMemberBytes = 256 * 1024 * 1024

/**
 * Compare two archives of sources or Python distributions, member by member.
 *
 * Shape: `.zip` and `.whl`, else a tar that may be compressed. Errors: Unreadable, FILE_IO.
 */
export async function compareArchives(files: Pair<string>, facts: BuildFacts): Promise<Differences> {
  const [released, rebuilt] = [await readMembers(files.released), await readMembers(files.rebuilt)]
  const order = [...released.keys()].filter(name => rebuilt.has(name))
  const otherOrder = [...rebuilt.keys()].filter(name => released.has(name))
  const differences = [...new Set([...released.keys(), ...rebuilt.keys()])].flatMap(name =>
    compareMembers(name, { released: released.get(name), rebuilt: rebuilt.get(name) }, facts),
  )
  const moved = order.findIndex((name, index) => name !== otherOrder[index])
  if (moved !== -1)
    differences.push({
      where: `member ${moved + 1}`,
      released: order[moved]!,
      rebuilt: otherOrder[moved]!,
      why: 'the members are in another order: sort what lists files',
    })
  return differences.length > 0 ? firstOf(differences) : packedOtherwise()
}

function packedOtherwise(): Differences {
  return firstOf([{ where: 'archive', released: 'equal members', rebuilt: 'packed otherwise', why: whyPacked }])
}

function compareMembers(
  where: string,
  { released, rebuilt }: Pair<ArchiveMember | undefined>,
  facts: BuildFacts,
): readonly Difference[] {
  if (released === undefined || rebuilt === undefined) {
    const side = (member: ArchiveMember | undefined) =>
      member === undefined ? 'absent' : (member.form['type'] ?? 'file')
    return [{ where, released: side(released), rebuilt: side(rebuilt), why: '' }]
  }
  const forms = Object.keys({ ...released.form, ...rebuilt.form }).flatMap(field => {
    const [a, b] = [released.form[field] ?? 'absent', rebuilt.form[field] ?? 'absent']
    return a === b ? [] : [{ where: `${where}, ${field}`, released: a, rebuilt: b, why: whyForm(field) }]
  })
  if (released.digest === rebuilt.digest) return forms
  return [...forms, contentDifference(where, { released, rebuilt }, facts)]
}

function contentDifference(where: string, { released, rebuilt }: Pair<ArchiveMember>, facts: BuildFacts): Difference {
  const whole = { released: released.content, rebuilt: rebuilt.content }
  if (whole.released !== undefined && whole.rebuilt !== undefined) {
    const found = compareContents(where, { released: whole.released, rebuilt: whole.rebuilt }, facts)
    if (found !== undefined) return found
  }
  return { where, released: released.digest, rebuilt: rebuilt.digest, why: '' }
}

function whyForm(field: string): string {
  if (field === 'time') return 'the time of the build; SOURCE_DATE_EPOCH has the one to take'
  return field === 'mode' ? 'the umask, or a step of the build sets it' : ''
}

async function readMembers(file: string): Promise<ReadonlyMap<string, ArchiveMember>> {
  const members = /\.(zip|whl)$/.test(file) ? [...zipMembers(file)] : await readTar(file)
  return new Map(members.map(member => [member.name, member]))
}

function* zipMembers(file: string): Generator<ArchiveMember> {
  const held = new Budget()
  for (const { name, mode, dosDate, dosTime, content } of readZipMembers(file, largestMemberBytes)) {
    const form = { mode: mode.toString(8), time: dosTimeText(dosDate, dosTime) }
    yield { name, form, digest: digestOf(content), content: held.takes(content.byteLength) ? content : undefined }
  }
}

/** Source: APPNOTE.TXT 6.3.10 §4.4.6: seconds are counted by twos. */
function dosTimeText(date: number, time: number): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${1980 + (date >> 9)}-${two((date >> 5) & 15)}-${two(date & 31)}`
  return `${day} ${two(time >> 11)}:${two((time >> 5) & 63)}:${two((time & 31) * 2)}`
}

async function readTar(file: string): Promise<readonly ArchiveMember[]> {
  // Loaded late: most releases built again are equal, and nothing is read then.
  const { list } = await import('tar')
  const members: ArchiveMember[] = []
  const held = new Budget()
  const take = (entry: ReadEntry) => {
    const digester = new Digester()
    const pieces: Buffer[] | undefined = held.takes(entry.size) ? [] : undefined
    entry.on('data', (piece: Buffer) => {
      digester.update(piece)
      pieces?.push(piece)
    })
    entry.on('end', () => {
      const content = pieces === undefined ? undefined : Buffer.concat(pieces)
      members.push({ name: entry.path, form: formOf(entry), digest: digester.digest(), content })
    })
  }
  try {
    await list({ file, strict: true, onReadEntry: take })
  } catch (caught) {
    throw isErrno(caught, 'ENOENT', 'EACCES', 'EIO') ? toReleaseError(caught) : new Unreadable('is not a whole tar')
  }
  return members
}

function formOf({ type, mode = 0, mtime, linkpath = '' }: ReadEntry): ArchiveMember['form'] {
  return { type: String(type), mode: mode.toString(8), time: mtime?.toISOString() ?? 'none', link: linkpath }
}

/** Counts what is kept in memory. */
class Budget {
  #heldBytes = 0

  takes(sizeBytes: number): boolean {
    if (sizeBytes > wholeContentBytes || this.#heldBytes + sizeBytes > largestHeldBytes) return false
    this.#heldBytes += sizeBytes
    return true
  }
}
