import { expect, it } from 'vitest'
import { assertDisjoint } from '../../../src/build/overlap.ts'

it('lets every file have one package', () => {
  const first = { package: 'first', files: ['/opt/app/a', '/etc/app.conf'] }
  assertDisjoint([first, { package: 'second', files: ['/opt/app/b'] }])
  expect(() => assertDisjoint([first, { package: 'second', files: ['/opt/app/b', '/etc/app.conf'] }])).toThrow(
    expect.objectContaining({
      code: 'BUILD_OVERLAP',
      details: { path: '/etc/app.conf', packages: ['first', 'second'] },
    }),
  )
})
