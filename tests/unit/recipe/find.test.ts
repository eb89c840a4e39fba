import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { findRecipe } from '../../../src/recipe/find.ts'
import { tempFolder } from '../../support/temp.ts'

describe('findRecipe', () => {
  it('takes release.yaml of the repository, a file, or a folder that holds one', () => {
    const repository = tempFolder()
    const own = path.join(repository, 'release.yaml')
    fs.writeFileSync(own, '')
    const folder = tempFolder()
    const other = path.join(folder, 'recipe.yaml')
    fs.writeFileSync(other, '')
    expect(findRecipe(repository, undefined)).toBe(own)
    expect(findRecipe(repository, other)).toBe(other)
    expect(findRecipe(repository, folder)).toBe(other)
  })

  it('says where it looked', () => {
    const repository = tempFolder()
    expect(() => findRecipe(repository, undefined)).toThrow(
      expect.objectContaining({ code: 'RECIPE_NOT_FOUND', message: `no recipe at ${repository}/release.yaml` }),
    )
  })
})
