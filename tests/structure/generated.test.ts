import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { repositoryRoot } from '../support/sources.ts'

it('references are what the sources say', () => {
  const check = spawnSync('node', ['scripts/generate.ts', '--check'], { cwd: repositoryRoot, encoding: 'utf8' })
  expect(check.stderr).toBe('')
  expect(check.status).toBe(0)
})
