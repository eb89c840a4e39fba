import type { Headers } from '../../sys/static-answer.ts'

/** A part of a list, and where the next part is. */
export interface Page {
  readonly names: readonly string[]
  readonly headers: Headers
}

/** No answer is longer than this, whatever is asked for. */
const mostNames = 10_000

/**
 * Cut the page out of a list that a request asks for with `n` and `last`; undefined when `n` is no number.
 *
 * Pre: the names are in byte order. Post: nothing is lost or doubled when names come and go between two pages: the next begins behind a
 * name, not at a place. Source: distribution-spec §Listing Tags.
 */
export function pageOf(names: readonly string[], path: string, query: string): Page | undefined {
  const parameters = new URLSearchParams(query)
  const wanted = parameters.get('n')
  if (wanted !== null && !/^[0-9]{1,9}$/.test(wanted)) return undefined
  const most = wanted === null ? mostNames : Math.min(Number(wanted), mostNames)
  const last = parameters.get('last') ?? ''
  const left = last === '' ? names : names.filter(name => name > last)
  const page = left.slice(0, most)
  const end = page.at(-1)
  if (end === undefined || page.length === left.length) return { names: page, headers: {} }
  const next = new URLSearchParams({ n: String(most), last: end })
  return { names: page, headers: { link: `<${path}?${next}>; rel="next"` } }
}
