import { stableJson } from '../../core/canonical-json.ts'
import { ReleaseError } from '../../core/error.ts'
import { readTextIfExists, writeFileAtomic } from '../../sys/files.ts'

/** Shape of `seen.json`: the highest number of a timestamp, by the name of the place. */
interface Seen {
  readonly schema: 1
  readonly timestamps: Readonly<Record<string, number>>
}

/** Read which timestamp was last seen at a place; 0 when none was. Errors: KEY_INVALID: forgetting would let an old state pass. */
export function readSeen(file: string, place: string): number {
  return parseSeen(file).timestamps[place] ?? 0
}

/** Remember a timestamp. A number that is not higher than the one before changes nothing. */
export function writeSeen(file: string, place: string, version: number): void {
  const { timestamps } = parseSeen(file)
  if ((timestamps[place] ?? 0) >= version) return
  const seen: Seen = { schema: 1, timestamps: { ...timestamps, [place]: version } }
  writeFileAtomic(file, stableJson(seen), { mode: 0o600 })
}

function parseSeen(file: string): Seen {
  const text = readTextIfExists(file)
  if (text === undefined) return { schema: 1, timestamps: {} }
  try {
    const { schema, timestamps } = JSON.parse(text) as Partial<Record<keyof Seen, unknown>>
    if (schema === 1 && typeof timestamps === 'object' && timestamps !== null) return { schema, timestamps } as Seen
  } catch {
    // Told below: whatever is wrong with it, it cannot be read.
  }
  throw new ReleaseError('KEY_INVALID', `${file} cannot be read`, {
    hint: 'restore it from a backup; without it an old state of the repository would be taken for the present one',
    details: { path: file },
  })
}
