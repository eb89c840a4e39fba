import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytes } from '../../../../src/core/relative-path.ts'
import {
  cutRecords,
  type Edit,
  editChunks,
  findRecords,
  type RecordList,
  splitRecords,
} from '../../../../src/repository/apt/chunks.ts'

/** Lines `KEY=VALUE`, few to a chunk so that small lists have many. */
const list: RecordList<string> = {
  terminator: '\n',
  keyOf: line => line.slice(0, line.indexOf('=')),
  compare: compareBytes,
  nameOf: key => key,
  recordsPerChunk: 4,
}

const entries = fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-z]{1,3}$/), fc.nat(9)), {
  selector: ([key]) => key,
  maxLength: 60,
})

function linesOf(records: ReadonlyMap<string, number>): readonly string[] {
  return [...records].sort(([a], [b]) => compareBytes(a, b)).map(([key, value]) => `${key}=${value}\n`)
}

function edit(key: string, value: number | undefined): Edit<string> {
  return { key, apply: () => (value === undefined ? undefined : `${key}=${value}\n`) }
}

const textOf = (chunks: readonly Buffer[]): readonly string[] => chunks.map(chunk => chunk.toString())

describe('editChunks', () => {
  it('comes to what cutting all records anew comes to', () => {
    fc.assert(
      fc.property(entries, entries, fc.array(fc.nat()), (first, come, gone) => {
        const before = new Map(first)
        const after = new Map(first)
        const removed = new Set(gone.map(at => first[at % Math.max(first.length, 1)]?.[0] ?? 'never'))
        for (const key of removed) after.delete(key)
        for (const [key, value] of come) after.set(key, value)
        const changes = new Map<string, number | undefined>([
          ...[...removed].map(key => [key, undefined] as const),
          ...come,
        ])
        const edits = [...changes].sort(([a], [b]) => compareBytes(a, b)).map(([key, value]) => edit(key, value))
        const chunks = editChunks(cutRecords(linesOf(before), list), edits, list)
        expect(textOf(chunks.map(chunk => chunk.plain))).toEqual(textOf(cutRecords(linesOf(after), list)))
      }),
      { numRuns: 500 },
    )
  })

  it('says of every chunk that it kept where it was', () => {
    const before = cutRecords(linesOf(new Map(keys(200).map(key => [key, 0]))), list)
    const chunks = editChunks(before, [edit('k100', 1)], list)
    expect(before.length).toBeGreaterThan(20)
    expect(chunks.filter(chunk => chunk.source === undefined)).toHaveLength(1)
    for (const { plain, source } of chunks) if (source !== undefined) expect(before[source]).toEqual(plain)
  })

  it('keeps all where an edit changes nothing', () => {
    const before = cutRecords(linesOf(new Map(keys(50).map(key => [key, 0]))), list)
    const chunks = editChunks(before, [edit('absent', undefined), edit('k010', 0)], list)
    expect(chunks.map(chunk => chunk.source)).toEqual([...before.keys()])
  })

  it('hands an edit the record before', () => {
    const seen: (string | undefined)[] = []
    const look = (key: string): Edit<string> => ({ key, apply: before => void seen.push(before) })
    editChunks(cutRecords(['a=1\n', 'c=3\n'], list), [look('a'), look('b')], list)
    expect(seen).toEqual(['a=1\n', undefined])
  })
})

describe('findRecords', () => {
  it('reads the chunks that may hold them, and no others', () => {
    const chunks = cutRecords(linesOf(new Map(keys(100).map(key => [key, 0]))), list)
    const found = findRecords(chunks, list, (first, next) => first <= 'k042' && (next === undefined || next > 'k042'))
    expect(found).toContain('k042=0\n')
    expect(found.length).toBeLessThan(40)
  })
})

it('splits a text into what it was made of', () => {
  expect(splitRecords('', list)).toEqual([])
  expect(splitRecords('a=1\nb=2\n', list)).toEqual(['a=1\n', 'b=2\n'])
})

function keys(count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `k${String(at).padStart(3, '0')}`)
}
