import { expect, it } from 'vitest'
import { assertDisjoint } from '../../../src/build/overlap.ts'
import type { Tree } from '../../../src/core/tree.ts'

const tree = (root: string, ...paths: string[]): Tree => ({
  root,
  entries: [
    { type: 'directory', path: 'common', mode: 0o755 },
    ...paths.map(path => ({ type: 'file' as const, path, mode: 0o644, sizeBytes: 0, source: `/${path}` })),
  ],
})

it('lets packages share folders, but no file', () => {
  const first = { package: 'first', tree: tree('opt/app', 'common/a') }
  assertDisjoint([first, { package: 'second', tree: tree('opt/app', 'common/b') }])
  expect(() => assertDisjoint([first, { package: 'second', tree: tree('opt', 'app/common/a') }])).toThrow(
    expect.objectContaining({
      code: 'BUILD_OVERLAP',
      details: { path: '/opt/app/common/a', packages: ['first', 'second'] },
    }),
  )
})
