import { createHash } from 'node:crypto'
import type { RepositoryDescription } from '../../trust/layout.ts'
import { Html, hrefOf, html } from './html.ts'
import { copyScript } from './script.ts'
import { style } from './style.ts'

/** What a page consists of beside its frame. */
export interface Page {
  readonly description: RepositoryDescription
  readonly title: string
  /** The way from the page's folder to the repository's: empty or so many `../`. */
  readonly up: string
  /** The pages above this one, from the front page on; empty on the front page itself. */
  readonly above: readonly { readonly name: string; readonly href: string }[]
  readonly main: Html
}

const icon =
  'data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 viewBox=%220 0 16 16%22%3E%3Crect width=%2216%22 height=%2216%22 rx=%223%22 fill=%22%230b57d0%22/%3E%3Cpath d=%22M4 5h8M4 8h8M4 11h5%22 stroke=%22white%22 stroke-width=%221.5%22/%3E%3C/svg%3E'

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

// Nothing but our own style and script may take effect, should a text ever slip through unescaped.
const policy = [
  "default-src 'none'",
  'img-src data:',
  `style-src ${hashOf(style)}`,
  `script-src ${hashOf(copyScript)}`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

/** Wrap a page's content. Shape: a complete document that is all there without its script, in light and dark, on paper and by voice. */
export function renderPage({ description, title, up, above, main }: Page): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="${new Html(icon)}">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header class="site">${above.length === 0 ? '' : trail(above, title)}</header>
<main id="main" tabindex="-1">
${main}
</main>
<footer class="site">
<p>Releases are signed, this page is not. <a href="${hrefOf(`${up}index.html`)}#trust">How to trust ${description.name}</a></p>
</footer>
<script>${new Html(copyScript)}</script>
</body>
</html>
`.text
}

function trail(above: Page['above'], title: string): Html {
  const links = above.map(({ name, href }) => html`<li><a href="${hrefOf(href)}">${name}</a></li>`)
  return html`<nav aria-label="Breadcrumb"><ol>${links}<li aria-current="page">${title}</li></ol></nav>`
}
