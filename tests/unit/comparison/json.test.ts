import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compareJson } from '../../../src/comparison/json.ts'
import { digestOf } from '../../../src/core/digest.ts'

const compare = (
  released: unknown,
  rebuilt: unknown,
  consequences: Parameters<typeof compareJson>[0]['consequences'] = new Map(),
) => compareJson({ released, rebuilt, consequences })

it('finds equal values equal, and others not', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      expect(compare(a, structuredClone(a))).toEqual([])
      expect(compare(a, b).length === 0).toBe(JSON.stringify(a, sortedKeys) === JSON.stringify(b, sortedKeys))
    }),
  )
})

/** Keys in one order: JSON objects have none. */
function sortedKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

it('takes members with the names of methods, and a digest that is no text, for what they are', () => {
  expect(compare({ a: { toString: '' } }, { a: 1 })).toEqual([
    { where: 'a', released: '{"toString":""}', rebuilt: '1', why: '' },
  ])
  const differences = compare({ digest: { sha256: 'a' }, size: 1 }, { digest: { sha256: 'a' }, size: 2 })
  expect(differences.map(({ where }) => where)).toEqual(['size'])
})

it('names what differs by its path', () => {
  expect(compare({ config: { Env: ['A=1'], User: 'a' } }, { config: { Env: ['A=1', 'B=2'], User: 'b' } })).toEqual([
    { where: 'config.Env[1]', released: 'absent', rebuilt: 'B=2', why: '' },
    { where: 'config.User', released: 'a', rebuilt: 'b', why: '' },
  ])
})

it('tells members of a list apart by name, so that one more of them is one difference', () => {
  const differences = compare(
    [
      { name: 'a', v: 1 },
      { name: 'c', v: 1 },
    ],
    [
      { name: 'a', v: 1 },
      { name: 'b', v: 1 },
      { name: 'c', v: 2 },
    ],
  )
  expect(differences.map(({ where }) => where).toSorted()).toEqual(['[b]', '[c].v'])
})

it('says what follows from something else, and leaves out the size of what has another digest', () => {
  const [a, b] = [digestOf('a'), digestOf('b')]
  const consequences = new Map([[a as string, { rebuilt: b, cause: 'app.tar.zst' }]])
  const differences = compare({ layer: { digest: a, size: 1 } }, { layer: { digest: b, size: 2 } }, consequences)
  expect(differences).toEqual([expect.objectContaining({ where: 'layer.digest', cause: 'app.tar.zst' })])
  const bare = compare({ sha256: a.slice(7) }, { sha256: b.slice(7) }, consequences)
  expect(bare[0]?.cause).toBe('app.tar.zst')
  expect(compare({ digest: b }, { digest: a }, consequences)[0]?.cause).toBeUndefined()
})

it('shortens what is long and shows line ends', () => {
  const [difference] = compare('x'.repeat(500), 'a\nb')
  expect(difference?.released.length).toBe(80)
  expect(difference?.rebuilt).toBe('"a\\nb"')
})
