import { printable } from '../../core/error.ts'

/** Text that is HTML already; everything else is escaped where it is put in. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** Build HTML from a template: values are escaped, Html stays, lists are joined. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(parts.map((part, at) => part + (at < values.length ? render(values[at]) : '')).join(''))
}

type HtmlValue = Html | string | number | undefined | readonly HtmlValue[]

function render(value: HtmlValue): string {
  if (value === undefined) return ''
  if (value instanceof Html) return value.text
  if (typeof value === 'object') return value.map(render).join('')
  return escapeHtml(String(value))
}

/** Escape text for HTML content and quoted attributes, and show what would not be seen ({@link printableText}). */
export function escapeHtml(text: string): string {
  return printableText(text).replace(
    /[&<>"']/g,
    character => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[character]!,
  )
}

/** Replace what changes how other text is seen: control characters, and those that turn the direction of writing. Source: Unicode UAX #9 §2. */
export function printableText(text: string): string {
  return printable(text).replace(/[\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}

/** Write a key as a relative address. */
export function hrefOf(key: string): string {
  return key
    .split('/')
    .map(part => (part === '..' ? part : encodeURIComponent(part)))
    .join('/')
}
