import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseRecipe } from '../../../src/recipe/load.ts'
import { writeEdits } from '../../../src/source/checkout.ts'
import { planEdits } from '../../../src/source/edits.ts'
import { writeFiles } from '../../support/git-repository.ts'
import { tempFolder } from '../../support/temp.ts'
import { minimalRecipe } from '../recipe/recipe-text.ts'

const { source } = parseRecipe(minimalRecipe, 'release.yaml').recipe
const release = { version: '1.1.0', timeSeconds: 1_790_000_000, changes: '- new\n' }
const versionFiles = [
  { path: 'package.json', json: 'version' },
  { path: 'package.json', json: 'config.version' },
]

describe('planEdits', () => {
  it('applies every version file and the changelog, and writes nothing', () => {
    const checkout = tempFolder()
    const text = '{"version":"1.0.0","config":{"version":"1.0.0"}}'
    writeFiles(checkout, { 'package.json': text })
    const { edits, changes } = planEdits(checkout, { ...source, versionFiles }, release)
    expect(edits.map(edit => edit.path)).toEqual(['package.json', 'CHANGELOG.md'])
    expect(edits[0]!.content).toBe('{"version":"1.1.0","config":{"version":"1.1.0"}}')
    expect(changes).toBe('- new\n')
    expect(fs.readFileSync(path.join(checkout, 'package.json'), 'utf8')).toBe(text)
    writeEdits(checkout, edits)
    expect(fs.readFileSync(path.join(checkout, 'CHANGELOG.md'), 'utf8')).toContain('## [1.1.0]')
  })

  it('has no edit for a file that names the version already, nor a changelog that is not wanted', () => {
    const checkout = tempFolder()
    writeFiles(checkout, { 'package.json': '{"version":"1.1.0","config":{"version":"1.1.0"}}' })
    expect(planEdits(checkout, { ...source, versionFiles, changelog: false }, release).edits).toEqual([])
  })

  it('refuses a version file that is missing', () => {
    expect(() => planEdits(tempFolder(), { ...source, versionFiles }, release)).toThrow(
      expect.objectContaining({ code: 'VERSION_FILE_INVALID' }),
    )
  })

  it.each(['CHANGELOG.md', 'docs/CHANGELOG.md'])('refuses to write %s through a link', changelog => {
    const checkout = tempFolder()
    const elsewhere = tempFolder()
    fs.symlinkSync(elsewhere, path.join(checkout, changelog.split('/')[0]!))
    expect(() => planEdits(checkout, { ...source, changelog }, release)).toThrow(
      expect.objectContaining({ code: 'SOURCE_EDIT_UNSAFE' }),
    )
  })
})
