import { describe, expect, it } from 'vitest'
import { addToChangelog, renderChanges } from '../../../src/source/changelog.ts'

function commits(...subjects: readonly string[]) {
  return subjects.map((subject, index) => ({ commit: `${index}`.repeat(40), subject, body: '' }))
}

describe('renderChanges', () => {
  it('groups commits that follow Conventional Commits, breaking ones first', () => {
    const list = [
      ...commits(
        'fix(api): close the file',
        'feat: search',
        'chore: tidy',
        'feat(db)!: new schema',
        'Not conventional',
      ),
      { commit: 'a'.repeat(40), subject: 'refactor: names', body: 'BREAKING CHANGE: renamed' },
    ]
    expect(renderChanges(list, { first: false })).toBe(
      [
        '### Breaking changes',
        '',
        '- **db:** new schema (3333333)',
        '- names (aaaaaaa)',
        '',
        '### Features',
        '',
        '- search (1111111)',
        '',
        '### Fixes',
        '',
        '- **api:** close the file (0000000)',
        '',
        '### Other changes',
        '',
        '- tidy (2222222)',
        '- Not conventional (4444444)',
        '',
      ].join('\n'),
    )
  })

  it('lists commits as they are when few follow the convention', () => {
    expect(renderChanges(commits('Add search', 'fix: b', 'Tidy <script>'), { first: false })).toBe(
      '- Add search (0000000)\n- fix: b (1111111)\n- Tidy \\<script\\> (2222222)\n',
    )
  })

  it('says so when it is the first release or nothing changed', () => {
    expect(renderChanges(commits('a'), { first: true })).toBe('The first release.\n')
    expect(renderChanges([], { first: false })).toBe('No changes.\n')
  })
})

describe('addToChangelog', () => {
  const release = { version: '1.1.0', timeSeconds: 1_790_000_000, changes: '- new\n' }

  it('begins a changelog', () => {
    expect(addToChangelog(undefined, release).changelog).toBe(
      '# Changelog\n\nAll releases, newest first.\n\n## [1.1.0] - 2026-09-21\n\n- new\n',
    )
  })

  it('puts the release above the last one, below the introduction', () => {
    const text = '# Changes\n\nIntroduction.\n\n## [1.0.0] - 2026-01-01\n\n- old\n'
    expect(addToChangelog(text, release).changelog).toBe(
      '# Changes\n\nIntroduction.\n\n## [1.1.0] - 2026-09-21\n\n- new\n\n## [1.0.0] - 2026-01-01\n\n- old\n',
    )
  })

  it('takes what people wrote under Unreleased', () => {
    const text = '# Changes\n\n## [Unreleased]\n\n### Added\n\n- by hand\n\n## [1.0.0] - 2026-01-01\n\n- old\n'
    expect(addToChangelog(text, release)).toEqual({
      changes: '### Added\n\n- by hand\n',
      changelog:
        '# Changes\n\n## [Unreleased]\n\n## [1.1.0] - 2026-09-21\n\n### Added\n\n- by hand\n\n## [1.0.0] - 2026-01-01\n\n- old\n',
    })
  })

  it('falls back to the commits when Unreleased is empty, and keeps link references at the end', () => {
    const text = '# Changes\n\n## [Unreleased]\n\n[Unreleased]: https://example.org/compare\n'
    expect(addToChangelog(text, release)).toEqual({
      changes: '- new\n',
      changelog:
        '# Changes\n\n## [Unreleased]\n\n## [1.1.0] - 2026-09-21\n\n- new\n\n[Unreleased]: https://example.org/compare\n',
    })
  })

  it('takes an Unreleased section that is the last thing in the file', () => {
    expect(addToChangelog('# Changes\n\n## Unreleased\n\n- by hand', release)).toEqual({
      changes: '- by hand\n',
      changelog: '# Changes\n\n## Unreleased\n\n## [1.1.0] - 2026-09-21\n\n- by hand\n',
    })
  })
})
