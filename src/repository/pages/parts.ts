import { isPreRelease } from '../../core/version.ts'
import type { ListedRelease } from '../../trust/layout.ts'
import { type Html, html } from './html.ts'

/** Show command lines to copy. `label` says what they do to those who cannot see where they stand. */
export function commands(label: string, ...lines: readonly string[]): Html {
  return html`<div class="commands copy" role="group" aria-label="${label}">${lines.map(line => html`<code>${words(line)}</code>\n`)}</div>\n`
}

/** A line is broken between words, and within one only where it is longer than the line. */
function words(line: string): readonly (Html | string)[] {
  return line.split(/( +)/).map((part, at) => (at % 2 === 0 ? html`<span>${part}</span>` : part))
}

/** Show where a page goes on. */
export function contents(sections: readonly (readonly [id: string, title: string])[]): Html {
  return html`<nav class="contents" aria-label="On this page"><ul>
${sections.map(([id, title]) => html`<li><a href="#${id}">${title}</a></li>\n`)}</ul></nav>
`
}

/** Say how many there are of something. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

/** Show a table. Columns with a `class` get it in every cell. */
export function table(
  caption: string,
  columns: readonly { readonly name: string; readonly class?: string }[],
  rows: readonly (readonly (Html | string)[])[],
): Html {
  const cell = (content: Html | string, at: number) => {
    const attribute = columns[at]?.class === undefined ? '' : html` class="${columns[at].class}"`
    return at === 0 ? html`<th scope="row"${attribute}>${content}</th>` : html`<td${attribute}>${content}</td>`
  }
  return html`<table>
<caption>${caption}</caption>
<thead><tr>${columns.map(column => html`<th scope="col"${column.class === undefined ? '' : html` class="${column.class}"`}>${column.name}</th>`)}</tr></thead>
<tbody>
${rows.map(row => html`<tr>${row.map(cell)}</tr>\n`)}</tbody>
</table>
`
}

/** Show terms with what they are. */
export function facts(pairs: readonly (readonly [string, Html | string])[]): Html {
  return html`<dl class="facts">
${pairs.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>\n`)}</dl>
`
}

/** Show a day. */
export function day(timeMs: number): Html {
  const text = new Date(timeMs).toISOString().slice(0, 10)
  return html`<time datetime="${text}">${text}</time>`
}

/** Show words that others wrote: in their own direction, whatever stands around them. */
export function quoted(text: string): Html {
  return html`<bdi>${text}</bdi>`
}

/** Say what kind of release it is. */
export function kindOf({ version, snapshot }: Pick<ListedRelease, 'version' | 'snapshot'>): string {
  if (snapshot) return 'snapshot'
  return isPreRelease(version) ? 'pre-release' : 'release'
}
