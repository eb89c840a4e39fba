import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { openWorkspace, staleWorkspaces } from '../../../src/build/workspace.ts'
import { writeFiles } from '../../support/git-repository.ts'
import { tempFolder } from '../../support/temp.ts'

describe('openWorkspace', () => {
  it('is removed when its scope ends, and found again when it was not', () => {
    const repository = tempFolder()
    const other = openWorkspace(tempFolder(), undefined)
    const root = (() => {
      using workspace = openWorkspace(repository, undefined)
      expect(staleWorkspaces(repository)).toEqual([{ root: workspace.root, prefix: workspace.prefix }])
      return workspace.root
    })()
    expect(fs.existsSync(root)).toBe(false)
    expect(staleWorkspaces(repository)).toEqual([])
    other[Symbol.dispose]()
  })

  it('takes the user’s registries into its own home, readable by nobody else', () => {
    const home = tempFolder()
    writeFiles(home, { '.npmrc': 'registry=https://npm.example/\nomit=dev\n' })
    using workspace = openWorkspace(tempFolder(), home)
    const file = path.join(workspace.home, '.npmrc')
    expect(fs.readFileSync(file, 'utf8')).toBe('registry=https://npm.example/\n')
    expect(fs.statSync(file).mode & 0o777).toBe(0o600)
  })
})
