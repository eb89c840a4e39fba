import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Page, pageOf } from '../../../../src/repository/serve/registry-page.ts'

const path = '/v2/notes/tags/list'
const names = ['1.0.0', '1.1.0', 'edge', 'stable']
const linkOf = (query: string) => pageOf(names, path, query)?.headers['link']

describe('pageOf', () => {
  it('is the whole list when nothing else is asked for', () => {
    expect(pageOf(names, path, '')).toEqual({ names, headers: {} })
  })

  it.each([
    ['n=2', ['1.0.0', '1.1.0'], `<${path}?n=2&last=1.1.0>; rel="next"`],
    ['n=2&last=1.1.0', ['edge', 'stable'], undefined],
    // A tag that was removed since is a place in the list, too.
    ['n=1&last=1.0.5', ['1.1.0'], `<${path}?n=1&last=1.1.0>; rel="next"`],
    ['n=4', names, undefined],
    ['n=0', [], undefined],
    ['last=stable', [], undefined],
    ['last=', names, undefined],
  ])('is for %s %j', (query, expected, link) => {
    expect(pageOf(names, path, query)?.names).toEqual(expected)
    expect(linkOf(query)).toBe(link)
  })

  it.each(['n=', 'n=-1', 'n=1.5', 'n=many', 'n=0x10', 'n=99999999999'])('is none for %s', query => {
    expect(pageOf(names, path, query)).toBeUndefined()
  })

  it('is never longer than a registry answers', () => {
    const many = Array.from({ length: 10_001 }, (_, at) => String(at).padStart(6, '0'))
    for (const query of ['', 'n=99999']) expect(pageOf(many, path, query)?.names).toHaveLength(10_000)
  })

  it('leads through every list', () => {
    const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,8}$/)
    fc.assert(
      fc.property(fc.uniqueArray(tag), fc.integer({ min: 1, max: 5 }), (tags, most) => {
        const sorted = tags.toSorted()
        const listed: string[] = []
        for (let query: string | undefined = `n=${most}`; query !== undefined; ) {
          const page: Page = pageOf(sorted, path, query)!
          listed.push(...page.names)
          query = /\?([^>]*)>/.exec(page.headers['link'] ?? '')?.[1]
        }
        expect(listed).toEqual(sorted)
      }),
    )
  })
})
