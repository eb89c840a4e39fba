import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type RelationField, relationFields, relationProblem } from '../../../src/core/debian-relation.ts'

describe('relationProblem', () => {
  it.each<[RelationField, string]>([
    ['Depends', 'libc6'],
    ['Depends', 'libc6 (>= 2.36)'],
    ['Depends', 'python3:any (>= 3.11~)'],
    ['Depends', 'libc6:amd64(<<1:2.0-1)'],
    ['Pre-Depends', 'a1 (= 1.0-1) | b2 | c++ (>> 2)'],
    ['Conflicts', 'other (<= 1.0+dfsg-1)'],
    ['Provides', 'mail-agent (= 1.0)'],
    ['Provides', 'mail-agent'],
    ['Built-Using', 'golang-1.19 (= 1.19.8-2)'],
  ])('has nothing against %s: %s', (field, relation) => {
    expect(relationProblem(field, relation)).toBeUndefined()
  })

  it.each<[RelationField, string, RegExp]>([
    ['Depends', '', /NAME or NAME \(>= VERSION\)/],
    ['Depends', 'a', /NAME or NAME/],
    ['Depends', 'Libc6', /a-z 0-9/],
    ['Depends', 'libc6, libm', /one relation for each item/],
    ['Depends', 'libc6\nEssential: yes', /one line/],
    ['Depends', 'libc6 | ', /NAME or NAME/],
    ['Depends', 'libc6 >= 2', /NAME or NAME/],
    ['Depends', 'libc6 (2.36)', /one of >= << <= = >>/],
    ['Depends', 'libc6 (> 2.36)', /one of/],
    ['Depends', 'libc6 (>= )', /Debian version/],
    ['Depends', 'libc6 (>= 2:)', /Debian version/],
    ['Depends', 'libc6 (>= 2_0)', /Debian version/],
    ['Depends', 'libc6: (>= 2)', /architecture/],
    ['Depends', 'libc6 [amd64]', /NAME or NAME/],
    ['Depends', 'libc6 <!nocheck>', /NAME or NAME/],
    ['Depends', 'libc6 (>= ${version})', /Debian version/],
    ['Breaks', 'aa | bb', /no alternatives/],
    ['Provides', 'mail-agent (>= 1.0)', /one of = and a version/],
    ['Built-Using', 'golang-1.19', /names versions/],
    ['Static-Built-Using', 'aa (= 1) | bb (= 1)', /no alternatives/],
  ])('refuses %s: %s', (field, relation, expected) => {
    expect(relationProblem(field, relation)).toMatch(expected)
  })

  it('lets nothing through that would be a second field or a second relation', () => {
    fc.assert(
      fc.property(fc.constantFrom(...relationFields), fc.string({ unit: 'binary' }), (field, text) => {
        const passes = relationProblem(field, text) === undefined
        expect(passes && /[\u0000-\u001f,]/.test(text)).toBe(false)
      }),
    )
  })
})
