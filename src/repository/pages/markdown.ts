import { Html, html } from './html.ts'
import { renderInline } from './markdown-inline.ts'

/** Longer texts are shown as they are: what changed between two releases is never that long, and reading stays fast. */
const maxCharacters = 128 * 1024

/** Lists within lists within lists; what is deeper is shown as text. */
const maxNesting = 6

const fence = /^ {0,3}(`{3,}|~{3,})/
const heading = /^ {0,3}(#{1,6})[ \t]+(\S.*)$/
const definition = /^ {0,3}\[[^\]]{1,200}\]:[ \t]*\S+$/
const item = /^( {0,3})([-*+]|\d{1,9}[.)])(?:( {1,4})(?=\S)|(?= *$))/

/**
 * Render what people wrote in Markdown.
 *
 * Shape: headings, lists, code, links, emphasis: a subset of CommonMark. Whatever else is written, HTML above all, is shown as it
 * stands. Headings begin at the level `firstLevel` and skip none. Post: no element or attribute but those written here.
 */
export function renderMarkdown(text: string, firstLevel: number): Html {
  if (text.length > maxCharacters) return html`<pre>${text}</pre>\n`
  const lines = text.split(/\r\n?|\n/).map(expandTabs)
  const levels = lines.flatMap(line => heading.exec(line)?.[1]?.length ?? [])
  const outline = { firstLevel, smallest: Math.min(...levels, 6), previous: firstLevel - 1 }
  return html`${renderBlocks(lines, { outline, nesting: 0 }).map(block => html`${block.html}\n`)}`
}

interface Outline {
  readonly firstLevel: number
  /** The highest heading that the text has. */
  readonly smallest: number
  /** The level of the heading before. */
  previous: number
}

interface Context {
  readonly outline: Outline
  readonly nesting: number
}

interface Block {
  readonly kind: 'paragraph' | 'other'
  readonly html: Html
  /** The content alone. */
  readonly inner?: Html
}

function renderBlocks(lines: readonly string[], context: Context): readonly Block[] {
  const blocks: Block[] = []
  let at = 0
  while (at < lines.length) {
    const line = lines[at]!
    if (line.trim() === '' || definition.test(line)) {
      at += 1
      continue
    }
    const { block, end } = readBlock(lines, at, context)
    blocks.push(block)
    at = end
  }
  return blocks
}

interface Read {
  readonly block: Block
  /** The line after it. */
  readonly end: number
}

function readBlock(lines: readonly string[], at: number, context: Context): Read {
  const line = lines[at]!
  if (fence.test(line)) return readFence(lines, at)
  const [, marks, title] = heading.exec(line) ?? []
  if (marks !== undefined && title !== undefined)
    return { block: renderHeading(marks.length, title, context.outline), end: at + 1 }
  if (item.test(line) && context.nesting < maxNesting) return readList(lines, at, context)
  return readParagraph(lines, at, context)
}

function readFence(lines: readonly string[], at: number): Read {
  const opening = fence.exec(lines[at]!)![1]!
  const isClosing = (line: string) => {
    const [, marks = ''] = fence.exec(line) ?? []
    return marks.startsWith(opening) && line.trim() === marks
  }
  let end = at + 1
  while (end < lines.length && !isClosing(lines[end]!)) end += 1
  const code = lines.slice(at + 1, end).join('\n')
  return { block: { kind: 'other', html: html`<pre><code>${code}</code></pre>` }, end: end + 1 }
}

function renderHeading(marks: number, title: string, outline: Outline): Block {
  const wanted = outline.firstLevel + marks - outline.smallest
  // One in a list is not among those that the smallest was found of.
  const level = Math.min(6, Math.max(wanted, outline.firstLevel), outline.previous + 1)
  outline.previous = level
  const inner = renderInline(title.trimEnd().replace(/ #+$/, ''))
  return { kind: 'other', html: html`<${new Html(`h${level}`)} dir="auto">${inner}</${new Html(`h${level}`)}>` }
}

function readParagraph(lines: readonly string[], at: number, context: Context): Read {
  let end = at + 1
  while (end < lines.length && !endsParagraph(lines[end]!, context)) end += 1
  const text = lines.slice(at, end).map(line => line.trim())
  const inner = renderInline(text.join('\n'))
  return { block: { kind: 'paragraph', html: html`<p dir="auto">${inner}</p>`, inner }, end }
}

function endsParagraph(line: string, { nesting }: Context): boolean {
  return line.trim() === '' || fence.test(line) || heading.test(line) || (nesting < maxNesting && item.test(line))
}

function readList(lines: readonly string[], at: number, context: Context): Read {
  const first = item.exec(lines[at]!)![2]!
  const isOrdered = /\d/.test(first)
  const items: Html[] = []
  let end = at
  while (end < lines.length) {
    const [, , marker] = item.exec(lines[end]!) ?? []
    // Another marker starts another list.
    if (marker === undefined || marker.at(-1) !== first.at(-1)) break
    const read = readItem(lines, end, context)
    items.push(renderItem(read.content, context))
    end = skipBlank(lines, read.end, marker)
  }
  const start = isOrdered && Number.parseInt(first, 10) !== 1 ? html` start="${Number.parseInt(first, 10)}"` : ''
  const list = isOrdered ? html`<ol${start}>\n${items}</ol>` : html`<ul>\n${items}</ul>`
  return { block: { kind: 'other', html: list }, end }
}

/** Blank lines between two items belong to the list, those after the last do not. */
function skipBlank(lines: readonly string[], at: number, marker: string): number {
  let next = at
  while (next < lines.length && lines[next]!.trim() === '') next += 1
  const [, , following] = item.exec(lines[next] ?? '') ?? []
  return following?.at(-1) === marker.at(-1) ? next : at
}

function readItem(
  lines: readonly string[],
  at: number,
  context: Context,
): { readonly content: readonly string[]; readonly end: number } {
  const [all = '', , , spaces] = item.exec(lines[at]!)!
  const indent = spaces === undefined ? all.length + 1 : all.length
  const content = [lines[at]!.slice(all.length)]
  let end = at + 1
  for (; end < lines.length; end += 1) {
    const line = lines[end]!
    const isBlank = line.trim() === ''
    const isInside = line.startsWith(' '.repeat(indent))
    const afterBlank = content.at(-1)!.trim() === ''
    // A line that goes on with a paragraph need not be indented.
    if (!isBlank && !isInside && (afterBlank || endsParagraph(line, context))) break
    content.push(isInside ? line.slice(indent) : line.trim())
  }
  while (content.length > 1 && content.at(-1)!.trim() === '') {
    content.pop()
    end -= 1
  }
  return { content, end }
}

/** An item of one paragraph, with or without a list below it, is shown without the distance of paragraphs. */
function renderItem(content: readonly string[], { outline, nesting }: Context): Html {
  const blocks = renderBlocks(content, { outline, nesting: nesting + 1 })
  const isTight = blocks.filter(({ kind }) => kind === 'paragraph').length <= 1
  const parts = blocks.map(block => html`${isTight ? (block.inner ?? block.html) : block.html}\n`)
  return html`<li dir="auto">${parts}</li>\n`
}

function expandTabs(line: string): string {
  return line.replaceAll('\t', '    ')
}
