import { describe, expect, it } from 'vitest'
import { allowedKeys, recipeJsonSchema, recipeReference } from '../../../src/recipe/reference.ts'

describe('recipeReference', () => {
  it('has a row for every key, with type, default and meaning', () => {
    const text = recipeReference()
    expect(text).toContain(
      '| `node.gate.hold.age` | text | `25s` | How long one is held at most; then it is backed off. |',
    )
    expect(text).toContain('| `payload.entries[].from` | text | required |')
    expect(text).toContain('| `environments.NAME.variables` | mapping | `{}` |')
    expect(text.split('\n').filter(line => /^\| `[^|]*\|[^|]*\|[^|]*\| +\|$/.test(line))).toEqual([])
  })
})

describe('recipeJsonSchema', () => {
  it('describes what a person writes: durations as text, unknown keys refused', () => {
    const schema = JSON.parse(recipeJsonSchema())
    expect(schema.properties.tests.items.properties.timeout).toMatchObject({ type: 'string', default: '10m' })
    expect(schema.additionalProperties).toBe(false)
    expect(schema.required).toContain('licence')
  })
})

describe('allowedKeys', () => {
  it('finds the keys below lists and free names', () => {
    expect(allowedKeys(['node', 'services', 3])).toContain('listens')
    expect(allowedKeys(['environments', 'staging'])).toEqual(['variables'])
    expect(allowedKeys(['name'])).toEqual([])
  })
})
