import { expect, it } from 'vitest'
import type { ReleaseError } from '../../../src/core/error.ts'
import { parseRecipe } from '../../../src/recipe/load.ts'
import { minimalRecipe } from './recipe-text.ts'

const recipe = (deb: string) => parseRecipe(`${minimalRecipe}artifacts:\n  deb: ${deb}\n`, 'release.yaml').recipe

function problem(deb: string): string {
  try {
    recipe(deb)
  } catch (caught) {
    return (caught as ReleaseError).message
  }
  return ''
}

it('takes relations, also to another package of the release', () => {
  const deb = '{ depends: ["notes-common (= ${debianVersion})", "nodejs (>= 24) | node"], breaks: ["old (<< 2)"] }'
  expect(recipe(deb).artifacts.deb).toMatchObject({
    depends: ['notes-common (= ${debianVersion})', 'nodejs (>= 24) | node'],
    breaks: ['old (<< 2)'],
  })
})

it.each([
  ['a relation that dpkg does not take', '{ depends: [libc6, "nodejs >= 24"] }', 'depends[1]: expected NAME or NAME ('],
  ['alternatives where there are none', '{ breaks: ["aa | bb"] }', 'breaks[0]: expected one package'],
  ['another placeholder', '{ depends: ["aa (= ${version})"] }', 'depends[0]: expected a Debian version'],
  ['two relations in one', '{ recommends: ["aa, bb"] }', 'recommends[0]: expected one relation for each item'],
  ['a rare field of another form', '{ fields: { Essential: maybe } }', 'fields.Essential: expected yes or no'],
  ['a field with a key of its own', '{ fields: { Depends: aa } }', 'fields'],
  ['a unit that would stay stopped', '{ units: [{ from: x.timer, start: false, restart: stop-start }] }', 'units[0]'],
  ['a user with a space', '{ user: { name: "no tes" } }', 'user.name: expected at most 31 of'],
  ['a home with a specifier', '{ user: { name: notes, home: "var/%h" } }', 'user.home: expected a path of letters'],
  ['a file outside', '{ files: [{ from: x, to: ../etc/x }] }', 'files[0].to: expected a relative path'],
  ['a manual page without a section', '{ manpages: [man/notes] }', 'manpages[0]: expected a path that ends'],
  ['an alternative in a folder', '{ alternatives: [{ name: a/b, link: x, path: y }] }', 'alternatives[0].name'],
  ['a trigger of another kind', '{ triggers: [await x] }', 'triggers[0]: expected interest'],
  ['an override without a reason', '{ lintianOverrides: [{ tag: x-y }] }', 'lintianOverrides[0].reason'],
  [
    'an override with a reason of two lines',
    '{ lintianOverrides: [{ tag: xy, reason: "a\\nb" }] }',
    'lintianOverrides[0].reason: expected one',
  ],
  ['one package of all machines for each', '{ multiArch: same }', 'multiArch: expected another value'],
  ['configuration that is there and gone', '{ conffiles: [etc/x], removedConffiles: [etc/x] }', 'removedConffiles[0]'],
  ['an epoch that is none', '{ epoch: -1 }', 'epoch: expected at least 0'],
])('refuses %s', (_, deb, expected) => {
  expect(problem(deb)).toContain(`artifacts.deb.${expected}`)
})
