import { describe, expect, it } from 'vitest'
import { parseRecipe } from '../../../src/recipe/load.ts'
import { nodeRecipeJson, parseNodeRecipe } from '../../../src/recipe/node.ts'
import { minimalRecipe } from './recipe-text.ts'

describe('the part of a recipe that travels to nodes', () => {
  const { raw } = parseRecipe(
    `${minimalRecipe}node:\n  services: [{ name: job, command: [a], stopTimeout: 3s }]\nenvironments:\n  test: {}\n`,
    'release.yaml',
  )

  it('is as written, without the release side', () => {
    expect(nodeRecipeJson(raw)).toEqual({
      schema: 1,
      name: 'notes',
      node: { services: [{ name: 'job', command: ['a'], stopTimeout: '3s' }] },
      environments: { test: {} },
    })
  })

  it('is read with the defaults of the reader', () => {
    const { name, node, environments } = parseNodeRecipe(nodeRecipeJson(raw))
    expect(name).toBe('notes')
    expect(node.services[0]).toMatchObject({ stopTimeout: 3000, stopSignal: 'SIGTERM', listens: false })
    expect(environments).toEqual({ test: { variables: {} } })
  })

  it('is refused when it asks for what this version does not know', () => {
    expect(() => parseNodeRecipe({ schema: 1, name: 'notes', node: { sidecars: [] } })).toThrow(
      expect.objectContaining({ code: 'RECIPE_INVALID' }),
    )
    expect(() => parseNodeRecipe('notes')).toThrow(expect.objectContaining({ code: 'RECIPE_INVALID' }))
  })
})
