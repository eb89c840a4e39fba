/** Elements without an end. */
const voids = new Set(['meta', 'link', 'br'])
/** What a paragraph or a heading may have in it. */
const inline = new Set(['a', 'b', 'bdi', 'br', 'code', 'em', 'span', 'strong', 'time'])
const allowed = new Set([
  ...[
    'html',
    'head',
    'title',
    'style',
    'script',
    'body',
    'header',
    'nav',
    'main',
    'footer',
    'section',
    'div',
    'p',
    'pre',
  ],
  ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'ol', 'ul', 'li', 'dl', 'dt', 'dd', 'blockquote'],
  ...['table', 'caption', 'thead', 'tbody', 'tr', 'th', 'td'],
  ...voids,
  ...inline,
])
/** Elements whose only parents are these. */
const parents: Readonly<Record<string, readonly string[]>> = {
  li: ['ol', 'ul'],
  dt: ['dl', 'div'],
  dd: ['dl', 'div'],
  caption: ['table'],
  thead: ['table'],
  tbody: ['table'],
  tr: ['thead', 'tbody'],
  th: ['tr'],
  td: ['tr'],
}

const token = /<!doctype html>|<(\/?)([a-z][a-z0-9]*)((?:\s+[a-z-]+(?:="[^"<>]*")?)*)>|[^<]+|</g

/**
 * Find what is wrong in a page of ours: elements that are not closed, closed twice, unknown or in the wrong place, attributes or ids given
 * twice, characters that must be escaped. Stricter than HTML demands: every attribute is quoted and every element closed. Source: HTML §13.1.
 */
export function htmlErrors(text: string): readonly string[] {
  const errors: string[] = []
  const open: string[] = []
  const ids = new Set<string>()
  for (const [all, slash, name, attributes = ''] of text.matchAll(token)) {
    const inside = open.at(-1) ?? ''
    if (name === undefined) {
      if (all === '<') errors.push(`a stray < in ${inside}`)
      else if (inside !== 'style' && inside !== 'script') errors.push(...textErrors(all))
    } else if (slash === '/') {
      if (open.pop() !== name) errors.push(`</${name}> ends ${inside}`)
    } else {
      errors.push(...elementErrors(name, open), ...attributeErrors(name, attributes, ids))
      if (!voids.has(name)) open.push(name)
    }
  }
  if (open.length > 0) errors.push(`not closed: ${open.join(' ')}`)
  return errors
}

function textErrors(text: string): readonly string[] {
  const loose = /&(?!(?:amp|lt|gt|quot|#39);)/.exec(text)
  const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.exec(text)
  return [loose, hidden].flatMap(found => (found === null ? [] : [`not escaped: ${JSON.stringify(found[0])}`]))
}

function elementErrors(name: string, open: readonly string[]): readonly string[] {
  const inside = open.at(-1) ?? ''
  const errors: string[] = []
  if (!allowed.has(name)) errors.push(`an element ${name}`)
  if (parents[name]?.includes(inside) === false) errors.push(`${name} in ${inside}`)
  const isRun = /^(?:p|h[1-6]|a|b|bdi|code|em|span|strong|time|dt|caption)$/.test(inside)
  if (isRun && !inline.has(name)) errors.push(`${name} in ${inside}`)
  if (name === 'a' && open.includes('a')) errors.push('a link in a link')
  return errors
}

function attributeErrors(name: string, attributes: string, ids: Set<string>): readonly string[] {
  const found = [...attributes.matchAll(/([a-z-]+)(?:="([^"]*)")?/g)].map(([, key = '', value = '']) => ({
    key,
    value,
  }))
  const errors = found.flatMap(({ value }) => textErrors(value))
  if (new Set(found.map(({ key }) => key)).size < found.length) errors.push(`an attribute twice in ${name}`)
  for (const { key, value } of found) {
    if (key.startsWith('on') || key === 'style') errors.push(`the attribute ${key}`)
    if (key === 'href' && /^[a-z][a-z0-9+.-]*:/i.test(value) && !/^(?:https?|mailto|data):/.test(value))
      errors.push(`a link to ${value}`)
    if (key !== 'id') continue
    if (ids.has(value)) errors.push(`the id ${value} twice`)
    ids.add(value)
  }
  return errors
}
