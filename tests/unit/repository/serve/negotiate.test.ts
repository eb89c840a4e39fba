import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { wantsJson } from '../../../../src/repository/serve/negotiate.ts'

const json = 'application/vnd.pypi.simple.v1+json'
const html = 'application/vnd.pypi.simple.v1+html'

describe('wantsJson', () => {
  it.each([
    [`${json}, ${html}; q=0.1, text/html; q=0.01`, 'what pip sends'],
    [json, 'nothing else'],
    [`${json}, */*`, 'as much as anything'],
    [`*/*;q=0.8, ${json.toUpperCase()};Q=0.9`, 'in other letters'],
    ['application/vnd.pypi.simple.latest+json', 'the newest'],
  ])('takes %s for JSON: %s', accept => {
    expect(wantsJson(accept)).toBe(true)
  })

  it.each<[string | undefined, string]>([
    [undefined, 'nothing'],
    ['', 'nothing'],
    ['*/*', 'anything'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'a browser'],
    ['application/json', 'another JSON'],
    [`${json};q=0, text/html`, 'not that'],
    [`${json};q=0.5, text/html`, 'rather a page'],
    [`${json};q=2`, 'no weight'],
    [`${json};q=`, 'no weight'],
  ])('takes %s for a page: %s', accept => {
    expect(wantsJson(accept)).toBe(false)
  })

  it('takes any header', () => {
    fc.assert(fc.property(fc.string(), text => typeof wantsJson(text) === 'boolean'))
  })
})
