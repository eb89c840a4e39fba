import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import type { ReleaseError } from '../../../src/core/error.ts'
import { loadRecipe, parseRecipe } from '../../../src/recipe/load.ts'
import { tempFolder } from '../../support/temp.ts'
import { minimalRecipe } from './recipe-text.ts'

function problems(text: string): readonly string[] {
  try {
    parseRecipe(text, 'release.yaml')
  } catch (caught) {
    const error = caught as ReleaseError
    expect(error.code).toBe('RECIPE_INVALID')
    return error.details.problems as readonly string[]
  }
  return []
}

describe('parseRecipe', () => {
  it('fills in defaults and reads durations into milliseconds', () => {
    const { recipe } = parseRecipe(`${minimalRecipe}build:\n  - run: make\n    timeout: 2m\n`, 'release.yaml')
    expect(recipe.source).toMatchObject({ branch: 'main', tagPrefix: 'v', changelog: 'CHANGELOG.md' })
    expect(recipe.build[0]?.timeout).toBe(120_000)
    expect(recipe.node.gate.hold).toMatchObject({ requests: 1000, age: 25_000, deadline: 60_000 })
    expect(recipe.environments).toEqual({ production: { variables: {} } })
  })

  it('names an unknown key at its own place and says which one was meant', () => {
    expect(problems(`${minimalRecipe}artifacts:\n  deb:\n    sections: net\n`)).toEqual([
      expect.stringMatching(
        /^release\.yaml:12:5: artifacts\.deb\.sections: expected one of package, .* found this unknown key; did you mean section\?$/,
      ),
    ])
  })

  it('reports every problem at once, in the order of the file', () => {
    const text = minimalRecipe.replace('name: notes', 'name: Notes!').replace('licence: Apache-2.0\n', '')
    expect(problems(`${text}tests:\n  - run: 7\n`)).toEqual([
      expect.stringMatching(/^release\.yaml:1:1: licence: expected text, found nothing$/),
      expect.stringMatching(/^release\.yaml:2:7: name: expected 2 to 63 .*, found "Notes!"$/),
      'release.yaml:10:10: tests[0].run: expected text or a list, found 7',
    ])
  })

  it('places a missing key of a list item at the item', () => {
    expect(problems(`${minimalRecipe}node:\n  files:\n    - mode: "0640"\n`)).toEqual([
      'release.yaml:12:7: node.files[0].path: expected text, found nothing',
    ])
  })

  it('names the choices of a closed set and the bound of a number', () => {
    const text = `${minimalRecipe}node:\n  runtime: { kind: ruby }\n  secrets: [{ name: KEY, bytes: 4 }]\n`
    expect(problems(text)).toEqual([
      'release.yaml:11:20: node.runtime.kind: expected one of node, python, none, found "ruby"',
      'release.yaml:12:33: node.secrets[0].bytes: expected at least 16, found 4',
    ])
  })

  it('refuses paths that leave their folder', () => {
    expect(problems(minimalRecipe.replace('from: src', 'from: ../src'))).toEqual([
      expect.stringContaining('payload.entries[0].from: expected a relative path'),
    ])
  })

  it('refuses a name that may not be a variable, at the name', () => {
    expect(problems(`${minimalRecipe}environments:\n  production:\n    variables:\n      port: "1"\n`)).toEqual([
      'release.yaml:13:7: environments.production.variables.port: expected an environment variable name in upper case, found "port"',
    ])
  })

  it('reports what is no YAML with its place, repeated keys among it', () => {
    expect(problems('schema: 1\nname: [\n')[0]).toMatch(/^release\.yaml:3:1: not YAML: /)
    expect(problems(`${minimalRecipe}name: other\n`)[0]).toMatch(
      /^release\.yaml:10:1: not YAML: Map keys must be unique$/,
    )
  })

  it('refuses an empty file and a bare list', () => {
    expect(problems('')).toEqual(['release.yaml:1:1: recipe: expected a mapping, found nothing'])
    expect(problems('- a\n')).toEqual(['release.yaml:1:1: recipe: expected a mapping, found a list'])
  })
})

describe('loadRecipe', () => {
  it('hands back the digest of the file and the text as written', () => {
    const file = path.join(tempFolder(), 'release.yaml')
    fs.writeFileSync(file, minimalRecipe)
    const loaded = loadRecipe(file)
    expect(loaded.digest).toBe(digestOf(minimalRecipe))
    expect(loaded.raw).not.toHaveProperty('node')
  })

  it('tells a missing file from a wrong one', () => {
    expect(() => loadRecipe('/nowhere/release.yaml')).toThrow(expect.objectContaining({ code: 'RECIPE_NOT_FOUND' }))
  })
})
