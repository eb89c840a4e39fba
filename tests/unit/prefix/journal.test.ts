import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { openJournal, readJournal } from '../../../src/prefix/journal.ts'
import { type JournalEntry, type JournalRecord, journalLine, parseJournal } from '../../../src/prefix/journal-record.ts'
import { tempFolder } from '../../support/temp.ts'

const clock = { nowMs: () => 1_767_225_600_000, elapsedMs: () => 0 }
const entries: readonly JournalEntry[] = [
  {
    kind: 'begin',
    command: 'install',
    version: '1.0.0',
    from: undefined,
    recordDigest: 'sha256:00',
    by: 'ada@node',
    ops: [{ name: 'switch', undo: 'exact' }],
  },
  { kind: 'intent', op: 'switch' },
  { kind: 'done', op: 'switch', note: 'a note with ümlauts' },
  { kind: 'commit', version: '1.0.0' },
]

function written(): { readonly file: string; readonly bytes: Buffer; readonly records: readonly JournalRecord[] } {
  const file = path.join(tempFolder(), 'journal', 'journal.ndjson')
  using journal = openJournal(file, clock)
  for (const entry of entries) journal.append(1, entry)
  return { file, bytes: fs.readFileSync(file), records: [...journal.records] }
}

describe('journal', () => {
  it('is read as it was written, also by others meanwhile', () => {
    const { file, records } = written()
    expect(readJournal(file)).toEqual(JSON.parse(JSON.stringify(records)))
    expect(records.map(record => record.seq)).toEqual([1, 2, 3, 4])
    expect(readJournal(`${file}.missing`)).toEqual([])
  })

  it('cut at any length holds the whole lines before the cut, and goes on from there', () => {
    const { file, bytes, records } = written()
    const wholeIn = (length: number) => bytes.subarray(0, length).filter(byte => byte === 0x0a).byteLength
    for (let length = 0; length < bytes.byteLength; length += 1) {
      expect(parseJournal(bytes.subarray(0, length), file).records).toHaveLength(wholeIn(length))
    }
    // Each goes to the disk twice.
    for (let length = 0; length < bytes.byteLength; length += 29) {
      fs.writeFileSync(file, bytes.subarray(0, length))
      const whole = wholeIn(length)
      using journal = openJournal(file, clock)
      expect(journal.append(1, { kind: 'intent', op: 'x' }).seq).toBe(whole + 1)
      expect(readJournal(file).slice(0, whole)).toEqual(JSON.parse(JSON.stringify(records.slice(0, whole))))
    }
  })

  it('whose last line came to the disk in part loses that line, and is refused when it was never a line', () => {
    const { file, bytes, records } = written()
    const line = journalLine({ ...records[0]!, seq: 5 })
    const torn = [line.subarray(0, 40), Buffer.alloc(line.byteLength), Buffer.from(line).fill(0, 0, 40)]
    for (const last of torn) {
      expect(parseJournal(Buffer.concat([bytes, last]), file)).toMatchObject({ sizeBytes: bytes.byteLength })
    }
    for (const foreign of ['nothing of ours', 'nothing of ours\n', '0123456789']) {
      expect(attempt(() => parseJournal(Buffer.from(foreign), file))).toBe('JOURNAL_DAMAGED')
      fs.writeFileSync(file, foreign)
      expect(attempt(() => openJournal(file, clock))).toBe('JOURNAL_DAMAGED')
      expect(fs.readFileSync(file, 'utf8')).toBe(foreign)
    }
  })

  it('with any one bit wrong is refused, or loses its last line, but never tells another story', () => {
    const { bytes, records } = written()
    const plain = JSON.parse(JSON.stringify(records)) as readonly JournalRecord[]
    for (let at = 0; at < bytes.byteLength; at += 1) {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= 0x04
      const outcome = attempt(() => parseJournal(damaged, 'journal').records)
      if (typeof outcome === 'string') expect(outcome).toBe('JOURNAL_DAMAGED')
      else expect(plain.slice(0, outcome.length)).toEqual(outcome)
    }
  })

  it('with a line missing, repeated or of a later version is refused', () => {
    const lines = written().records.map(journalLine)
    const code = (...kept: Buffer[]) => attempt(() => parseJournal(Buffer.concat(kept), 'journal'))
    expect(code(lines[0]!, lines[2]!)).toBe('JOURNAL_SEQUENCE')
    expect(code(lines[0]!, lines[0]!)).toBe('JOURNAL_SEQUENCE')
    const later = { ...written().records[0]!, schema: 2 } as unknown as JournalRecord
    expect(code(journalLine(later))).toBe('DOCUMENT_NEWER')
  })
})

function attempt<T>(run: () => T): T | string {
  try {
    return run()
  } catch (caught) {
    return (caught as { code: string }).code
  }
}
