import fs from 'node:fs'
import { expect, it } from 'vitest'
import { settings } from '../../../src/flow/settings.ts'
import { codeOfAsync } from '../../support/codes.ts'
import { recordedTools } from '../../support/recorded-tools.ts'
import { toyInstallation } from '../../support/toy-release.ts'

const set = (prefix: string, ...changes: (readonly [string, string])[]) =>
  settings({ prefix, changes, waitLockMs: 0 }, recordedTools())

it('mirrors are set that can be read from, and no others', async () => {
  const { paths } = toyInstallation()
  const mirrors = ['/srv/vendor', 'apt:https://deb.example', 'oci://r.example/team']
  const { settings: after } = await set(paths.root, ...mirrors.map(place => ['mirrors', place] as const))
  expect(after?.mirrors).toEqual(mirrors)
  const before = fs.readFileSync(paths.identity)
  expect(await codeOfAsync(set(paths.root, ['mirrors', 'deb.example']))).toBe('MIRROR_INVALID')
  expect(fs.readFileSync(paths.identity)).toEqual(before)
})

it('how slow a place may be is a size', async () => {
  const { paths } = toyInstallation()
  const { settings: after } = await set(paths.root, ['leastBytesPerSecond', '10KiB'])
  expect(after).toEqual({ leastBytesPerSecond: 10_240 })
  expect(await codeOfAsync(set(paths.root, ['leastBytesPerSecond', 'slow']))).toBe('USAGE')
})
