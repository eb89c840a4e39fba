import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { escapeHtml, hrefOf, html, printableText } from '../../../../src/repository/pages/html.ts'
import { renderPage } from '../../../../src/repository/pages/page.ts'
import { description } from '../../../support/made-site.ts'

describe('html', () => {
  it('escapes values and keeps HTML', () => {
    const inner = html`<b>${'a < b & "c" \'d\''}</b>`
    expect(html`<p>${inner}${[1, undefined, html`<i></i>`]}</p>`.text).toBe(
      '<p><b>a &lt; b &amp; &quot;c&quot; &#39;d&#39;</b>1<i></i></p>',
    )
  })

  it('lets no text open a tag or leave an attribute', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        expect(escapeHtml(text)).not.toMatch(/[<>"']/)
        expect(html`<a title="${text}">`.text.slice('<a title="'.length, -'">'.length)).not.toMatch(/[<>"]/)
      }),
    )
  })

  it('shows what would not be seen, or would turn what stands around it', () => {
    expect(printableText('a\u0000b\u001b[31m\u202etxt.exe\u2066\u0085')).toBe(
      'a\ufffdb\ufffd[31m\ufffdtxt.exe\ufffd\ufffd',
    )
    expect(printableText('שלום, سلام\n\t😀')).toBe('שלום, سلام\n\t😀')
  })
})

it('writes a key as an address', () => {
  expect(hrefOf('../../pool/a b/c#d?e%.deb')).toBe('../../pool/a%20b/c%23d%3Fe%25.deb')
})

it('allows a page nothing but its own style and script', () => {
  const page = renderPage({ description, title: 'Title', up: '', above: [], main: html`<p></p>` })
  expect(page).toMatch(
    /default-src &#39;none&#39;; img-src data:; style-src &#39;sha256-[A-Za-z0-9+/=]+&#39;; script-src &#39;sha256-[A-Za-z0-9+/=]+&#39;; base-uri/,
  )
  expect(page.match(/<script/g)).toHaveLength(1)
  expect(page).toMatch(/^<!doctype html>\n<html lang="en">/)
})
