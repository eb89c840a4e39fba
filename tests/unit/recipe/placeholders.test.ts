import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ReleaseError } from '../../../src/core/error.ts'
import { fillPlaceholders, placeholderNames } from '../../../src/recipe/placeholders.ts'

describe('fillPlaceholders', () => {
  it('fills in names, writes $$ as $ and leaves other dollar signs alone', () => {
    expect(fillPlaceholders('${a}/$$HOME/$b/${a}$', { a: 'x' }, 'here')).toBe('x/$HOME/$b/x$')
  })

  it('does not read a value again', () => {
    expect(fillPlaceholders('${a}', { a: '${b}$$$&', b: 'no' }, 'here')).toBe('${b}$$$&')
  })

  it('keeps $${a} as the text ${a}', () => {
    expect(fillPlaceholders('$${a}', { a: 'x' }, 'here')).toBe('${a}')
  })

  it('names every unknown placeholder, and the one that was meant', () => {
    expect(() => fillPlaceholders('${verison} ${x}', { version: '1' }, 'services.web')).toThrow(
      expect.objectContaining({
        code: 'RECIPE_PLACEHOLDER',
        message: 'services.web uses ${verison}, ${x}, which have no value',
        hint: 'did you mean ${version}?',
      }),
    )
  })

  it('does not take inherited properties for values', () => {
    expect(() => fillPlaceholders('${constructor}', {}, 'here')).toThrow(
      expect.objectContaining<Partial<ReleaseError>>({ code: 'RECIPE_PLACEHOLDER' }),
    )
  })

  it('gives back any text whose dollar signs were doubled', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        expect(fillPlaceholders(text.replaceAll('$', '$$$$'), {}, 'here')).toBe(text)
      }),
    )
  })
})

describe('placeholderNames', () => {
  it('lists names in order and leaves out doubled dollar signs', () => {
    expect(placeholderNames('${b} $${c} ${a} ${b}')).toEqual(['b', 'a', 'b'])
  })
})
