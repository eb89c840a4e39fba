import { describe, expect, it } from 'vitest'
import { suggest } from '../../../src/recipe/suggest.ts'

describe('suggest', () => {
  it.each([
    ['servces', 'services'],
    ['Services', 'services'],
    ['heatlh', 'health'],
    ['zebra', undefined],
    ['', undefined],
  ])('takes %j for %j', (word, meant) => {
    expect(suggest(word, ['services', 'health', 'gate'])).toBe(meant)
  })
})
