import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { renderMarkdown } from '../../../../src/repository/pages/markdown.ts'
import { safeHref } from '../../../../src/repository/pages/markdown-inline.ts'
import { htmlErrors } from '../../../support/html-errors.ts'

/** Without what stands in it for the direction of writing. */
const render = (text: string) => renderMarkdown(text, 3).text.replaceAll(' dir="auto"', '').trim()
const inline = (text: string) => render(text).replace(/^<p>(.*)<\/p>$/s, '$1')

describe('blocks', () => {
  it('are paragraphs where nothing else is written', () => {
    expect(render('one\ntwo\n\n  three')).toBe('<p>one\ntwo</p>\n<p>three</p>')
    expect(render('')).toBe('')
  })

  it('has headings begin below those of the page and skip none', () => {
    expect(render('# a\n#### b\n## c #')).toBe('<h3>a</h3>\n<h4>b</h4>\n<h4>c</h4>')
    expect(render('### a\n### b')).toBe('<h3>a</h3>\n<h3>b</h3>')
    expect(render('#a\n\n#')).toBe('<p>#a</p>\n<p>#</p>')
  })

  it('lists items, in lists of lists, with lines that go on', () => {
    expect(render('- a\n  b\nc\n- d\n  - e\n\n- f').replaceAll('\n', '')).toBe(
      '<ul><li>abc</li><li>d<ul><li>e</li></ul></li><li>f</li></ul>',
    )
    expect(render('3. a\n4. b\n\nc').replaceAll('\n', '')).toBe('<ol start="3"><li>a</li><li>b</li></ol><p>c</p>')
    expect(render('- a\n* b').replaceAll('\n', '')).toBe('<ul><li>a</li></ul><ul><li>b</li></ul>')
    expect(render('- a\n\n  b').replaceAll('\n', '')).toBe('<ul><li><p>a</p><p>b</p></li></ul>')
    expect(render('-').replaceAll('\n', '')).toBe('<ul><li></li></ul>')
  })

  it('keeps code as it is written', () => {
    expect(render('```js\n*a* <b>\n\n    # c\n```\nd')).toBe(
      '<pre><code>*a* &lt;b&gt;\n\n    # c</code></pre>\n<p>d</p>',
    )
    expect(render('~~~\n```\n~~~')).toBe('<pre><code>```</code></pre>')
    expect(render('```\nnever closed')).toBe('<pre><code>never closed</code></pre>')
  })

  it('leaves out where links of a whole changelog lead', () => {
    expect(render('a\n\n[1.1.4]: https://x.example/compare')).toBe('<p>a</p>')
  })

  it('shows a very long text as it stands', () => {
    expect(render(`- ${'a'.repeat(200_000)}`)).toMatch(/^<pre>- a+<\/pre>$/)
  })

  it('goes into no depth', () => {
    const deep = Array.from({ length: 100 }, (_, level) => `${'  '.repeat(level)}- x`).join('\n')
    expect(render(deep).match(/<ul>/g)!.length).toBeLessThanOrEqual(6)
  })
})

describe('a run of text', () => {
  it('has code, emphasis and escapes', () => {
    expect(inline('a `b *c*` **d `e`** *f* __g__ _h_')).toBe(
      'a <code>b *c*</code> <strong>d <code>e</code></strong> <em>f</em> <strong>g</strong> <em>h</em>',
    )
    expect(inline('`` a`b ``')).toBe('<code>a`b</code>')
    expect(inline('\\*a\\* \\<b\\> \\[c\\]')).toBe('*a* &lt;b&gt; [c]')
    expect(inline('a snake_case_name, 2 * 3 * 4, **open, `open')).toBe('a snake_case_name, 2 * 3 * 4, **open, `open')
  })

  it('has links, also where only the address is written', () => {
    expect(inline('[a *b*](https://x.example/?a=1&b=2 "c")')).toBe(
      '<a href="https://x.example/?a=1&amp;b=2" rel="nofollow">a <em>b</em></a>',
    )
    expect(inline('see https://x.example/a, (https://x.example/b) <https://x.example/c>')).toBe(
      'see <a href="https://x.example/a" rel="nofollow">https://x.example/a</a>, (<a href="https://x.example/b" rel="nofollow">https://x.example/b</a>) <a href="https://x.example/c" rel="nofollow">https://x.example/c</a>',
    )
    expect(inline('[https://a.example](https://b.example)')).toBe(
      '<a href="https://b.example/" rel="nofollow">https://a.example</a>',
    )
  })

  it('follows no link that runs something or leads to what is not published', () => {
    expect(inline('[a](javascript:alert(1)) [b](data:text/html,x) [c](docs/x.md)')).not.toContain('<a')
    expect(inline('[b](data:text/html,x) [c](docs/x.md)')).toBe('b c')
  })

  it('fetches no image', () => {
    expect(inline('![a picture](https://x.example/a.png)')).toBe('a picture')
  })
})

it('accepts addresses of pages and mailboxes alone', () => {
  expect(safeHref('https://x.example/"onclick=')).toBe('https://x.example/%22onclick=')
  expect(safeHref('mailto:ada@example.org')).toBe('mailto:ada@example.org')
  for (const address of [
    'javascript:alert(1)',
    ' javascript:x',
    'JaVaScRiPt:x',
    'data:text/html,x',
    'vbscript:x',
    '//x',
    'x',
    'https://',
  ])
    expect(safeHref(address)).toBeUndefined()
})

/** Texts made of what Markdown and HTML take for more than text. */
const piece = fc.oneof(
  fc.constantFrom(
    ...[
      '*',
      '**',
      '_',
      '__',
      '`',
      '```',
      '~~~',
      '[',
      ']',
      '(',
      ')',
      '](',
      '![',
      '<',
      '>',
      '</p>',
      '<script>',
      '-->',
      '"',
      "'",
      '&',
      '&lt;',
    ],
    ...[
      '# ',
      '- ',
      '1. ',
      '+ ',
      '    ',
      '  ',
      '\t',
      '\n',
      '\n\n',
      '\r\n',
      '\\',
      '\u0000',
      '\u202e',
      'javascript:',
      'https://x.example',
      'a b',
    ],
  ),
  fc.string({ maxLength: 5, unit: 'binary' }),
)

it('gives a heading in a list a level, though only lists have headings', () => {
  expect(renderMarkdown('- # Fixed', 3).text).toContain('<h3 dir="auto">Fixed</h3>')
  expect(renderMarkdown('# Above\n- ## Fixed\n- ###### Deep', 2).text).toContain('<h3 dir="auto">Fixed</h3>')
})

it('makes well-formed HTML of its own elements of whatever is written', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), pieces => {
      expect(htmlErrors(renderMarkdown(pieces.join(''), 3).text)).toEqual([])
    }),
    { numRuns: 500 },
  )
})

it.each([
  '*',
  '**',
  '`',
  '[',
  '![',
  '<https://',
  '_a ',
  '**a ',
  '[a](',
  '- ',
  '  - ',
  '> ',
  '#  ',
  '\\',
  '```\n',
  '`a``',
  ' ',
])('is not slowed down by %j without end', opening => {
  expect(htmlErrors(renderMarkdown(opening.repeat(60_000 / opening.length), 3).text)).toEqual([])
})
