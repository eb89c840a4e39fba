import { expect, it } from 'vitest'
import { controlFields, isVendorField, rareFieldProblem, rareFields } from '../../../src/core/debian-fields.ts'

it.each([
  ['Essential', 'yes'],
  ['Protected', 'no'],
  ['Package-Type', 'deb'],
  ['Origin', 'Notes Ltd.'],
  ['Bugs', 'https://example.org/bugs'],
  ['Tag', 'role::program, use::editing'],
  ['Installer-Menu-Item', '500'],
  ['X-Colour', 'blue and green'],
])('takes %s: %s', (name, value) => {
  expect(rareFieldProblem(name, value)).toBeUndefined()
})

it.each([
  ['Essential', 'maybe', /yes or no/],
  ['Package-Type', 'udeb', /expected deb/],
  ['Origin', 'two\nlines', /one line/],
  ['Bugs', 'somewhere', /address/],
  ['Tag', 'program', /tags/],
  ['X-Colour', 'blue\nEssential: yes', /one line/],
  ['X-Colour', '', /one line/],
  ['Colour', 'blue', /or X-NAME/],
  ['constructor', 'x', /or X-NAME/],
])('refuses %s: %j', (name, value, expected) => {
  expect(rareFieldProblem(name, value)).toMatch(expected)
})

it('knows the place of every field that it takes', () => {
  expect(Object.keys(rareFields).filter(name => !(controlFields as readonly string[]).includes(name))).toEqual([])
  expect(isVendorField('X-')).toBe(false)
})
