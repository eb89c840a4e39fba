import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { currentVersion, isComplete } from '../../../src/prefix/installed.ts'
import { prefixPaths, releasePaths } from '../../../src/prefix/layout.ts'
import { tempFolder } from '../../support/temp.ts'

it('names the release that current points to', () => {
  const paths = prefixPaths(tempFolder())
  expect(currentVersion(paths)).toBeUndefined()
  fs.symlinkSync('releases/1.1.4', paths.current)
  expect(currentVersion(paths)).toBe('1.1.4')
})

it.each(['releases/latest', '../1.1.4', '/etc/1.1.4', '1.1.4'])('refuses a link to %s', target => {
  const paths = prefixPaths(tempFolder())
  fs.symlinkSync(target, paths.current)
  expect(() => currentVersion(paths)).toThrow(expect.objectContaining({ code: 'PREFIX_DAMAGED' }))
})

it('counts a release as complete only without the marker', () => {
  const paths = prefixPaths(tempFolder())
  const release = releasePaths(paths, '1.1.4')
  expect(isComplete(paths, '1.1.4')).toBe(false)
  fs.mkdirSync(path.dirname(release.record), { recursive: true })
  fs.writeFileSync(release.incomplete, '')
  fs.writeFileSync(release.record, '{}')
  expect(isComplete(paths, '1.1.4')).toBe(false)
  fs.rmSync(release.incomplete)
  expect(isComplete(paths, '1.1.4')).toBe(true)
})
