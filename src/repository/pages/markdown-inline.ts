import { type Html, html } from './html.ts'

/** Emphasis within emphasis within emphasis. */
const maxNesting = 4

/*
 * Every pattern reads no further than so many characters from where it begins, so that a text of openings that nothing closes takes
 * no longer than its length allows.
 */
const escaped = /\\([!-/:-@[-`{-~])/y
const code = /(`{1,4})(?!`)([\s\S]{1,1000}?)(?<!`)\1(?!`)/y
const link = /(!?)\[((?:\\.|[^\\[\]]){0,500})\]\(<?([^\s<>()]{1,1000})>?(?: {1,4}"[^"]{0,300}")? {0,4}\)/y
const enclosed = /<(https?:\/\/[^\s<>]{1,1000})>/y
const bare = /https?:\/\/[^\s<>"'`\\\])}*]{1,1000}/y
const strong = /(\*\*|__)(?=\S)([\s\S]{1,1000}?)(?<=\S)\1/y
const emphasis = /([*_])(?![\s*_])([^*_]{1,1000})(?<=\S)\1(?!\w)/y
const plain = /[^\\`![<hH*_]+/y

/** Where a run of text stands. */
interface Inside {
  readonly nesting: number
  /** Links within links there are none. */
  readonly link: boolean
}

/** Render a run of text: code, links, emphasis; everything else is text. */
export function renderInline(text: string, inside: Inside = { nesting: 0, link: false }): Html {
  const parts: (Html | string)[] = []
  let at = 0
  while (at < text.length) {
    const found = readPart(text, at, inside)
    parts.push(found.part)
    at += found.length
  }
  return html`${joinText(parts)}`
}

interface Part {
  readonly part: Html | string
  readonly length: number
}

type Read = (pattern: RegExp) => RegExpExecArray | null

function readPart(text: string, at: number, inside: Inside): Part {
  const read: Read = pattern => {
    pattern.lastIndex = at
    return pattern.exec(text)
  }
  const words = read(plain)
  if (words !== null) return { part: words[0], length: words[0].length }
  const isAfterWord = at > 0 && /\w/.test(text[at - 1]!)
  const found = readVerbatim(read) ?? readLink(read, inside) ?? (isAfterWord ? undefined : readAddress(read, inside))
  if (found !== undefined) return found
  // snake_case is no emphasis.
  const emphasised = isAfterWord && text[at] === '_' ? undefined : readEmphasis(read, inside)
  return emphasised ?? { part: text[at]!, length: 1 }
}

function readVerbatim(read: Read): Part | undefined {
  const character = read(escaped)
  if (character !== null) return { part: character[1]!, length: 2 }
  const quoted = read(code)
  if (quoted !== null) return { part: html`<code>${unpadded(quoted[2]!)}</code>`, length: quoted[0].length }
  return undefined
}

/** A space on both sides lets code begin or end with a backtick. */
function unpadded(text: string): string {
  return text.length > 2 && text.startsWith(' ') && text.endsWith(' ') ? text.slice(1, -1) : text
}

function readLink(read: Read, inside: Inside): Part | undefined {
  const [all, image, text, target] = read(link) ?? []
  if (all === undefined || text === undefined || target === undefined) return undefined
  // What an image shows would be fetched from elsewhere: its text is shown.
  if (image !== '') return { part: text, length: all.length }
  const content = renderInline(text, { nesting: inside.nesting + 1, link: true })
  return { part: anchor(target, content, inside), length: all.length }
}

function readAddress(read: Read, inside: Inside): Part | undefined {
  const [all, target] = read(enclosed) ?? []
  if (all !== undefined && target !== undefined)
    return { part: anchor(target, html`${target}`, inside), length: all.length }
  // The sentence goes on after the address.
  const address = read(bare)?.[0].replace(/[.,;:!?]{1,8}$/, '')
  return address === undefined ? undefined : { part: anchor(address, html`${address}`, inside), length: address.length }
}

function readEmphasis(read: Read, inside: Inside): Part | undefined {
  if (inside.nesting >= maxNesting) return undefined
  const deeper = { ...inside, nesting: inside.nesting + 1 }
  const [bold, , important] = read(strong) ?? []
  if (bold !== undefined && important !== undefined)
    return { part: html`<strong>${renderInline(important, deeper)}</strong>`, length: bold.length }
  const [slanted, , stressed] = read(emphasis) ?? []
  if (slanted === undefined || stressed === undefined) return undefined
  return { part: html`<em>${renderInline(stressed, deeper)}</em>`, length: slanted.length }
}

function anchor(target: string, text: Html, inside: Inside): Html {
  const href = safeHref(target)
  return inside.link || href === undefined ? text : html`<a href="${href}" rel="nofollow">${text}</a>`
}

/** Accept the address of a link: one that leads to a page or a mailbox and runs nothing. */
export function safeHref(address: string): string | undefined {
  if (!/^(?:https?:\/\/|mailto:)/i.test(address) || !URL.canParse(address)) return undefined
  return new URL(address).href
}

/** Join neighbouring texts, so that each is escaped once. */
function joinText(parts: readonly (Html | string)[]): readonly (Html | string)[] {
  const joined: (Html | string)[] = []
  for (const part of parts) {
    const last = joined.at(-1)
    if (typeof part === 'string' && typeof last === 'string') joined[joined.length - 1] = last + part
    else joined.push(part)
  }
  return joined
}
