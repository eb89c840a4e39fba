import { expect, it } from 'vitest'
import { addToChangelog } from '../../../src/source/changelog.ts'
import { readChangelog } from '../../../src/source/changelog-entries.ts'

it('reads what cut writes', () => {
  const first = addToChangelog(undefined, { version: '1.0.0', timeSeconds: 1_767_225_600, changes: 'The first.\n' })
  const second = addToChangelog(first.changelog, {
    version: '1.1.0-rc.1',
    timeSeconds: 1_767_400_000,
    changes: '### Features\n\n- Faster\n',
  })
  expect(readChangelog(second.changelog)).toEqual([
    { version: '1.1.0-rc.1', timeSeconds: 1_767_398_400, changes: '### Features\n\n- Faster' },
    { version: '1.0.0', timeSeconds: 1_767_225_600, changes: 'The first.' },
  ])
})

it('passes over what is no release', () => {
  const text = `# Changelog

## [Unreleased]

- Soon

## [next] - 2026-01-03

## 1.0.0

No date.

## [0.9.0](https://example.org) - 2026-01-01

- Old

[0.9.0]: https://example.org/0.9.0
`
  expect(readChangelog(text)).toEqual([{ version: '0.9.0', timeSeconds: 1_767_225_600, changes: '- Old' }])
  expect(readChangelog('')).toEqual([])
})
