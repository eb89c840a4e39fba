import type { Digest } from '../../core/digest.ts'
import type { ListedRelease, ReleaseIndex, RepositoryDescription } from '../../trust/layout.ts'
import { channelsOf, headOf } from '../channels.ts'
import { type Document, pointer } from '../document.ts'
import type { ApplicationSummary } from '../ledger.ts'
import { renderHeads } from './heads.ts'
import { type Html, hrefOf, html } from './html.ts'
import { renderInstall, type Site } from './install.ts'
import { applicationPage } from './keys.ts'
import { renderPage } from './page.ts'
import { countOf, day, kindOf, quoted, table } from './parts.ts'

/** What an application's page tells beside its releases. */
export interface ApplicationContext {
  readonly summary: ApplicationSummary
  readonly rootFingerprint: Digest
}

/** Render an application's page: what its channels offer, how to install it, and all its releases, newest first. */
export function renderApplication(
  description: RepositoryDescription,
  index: ReleaseIndex,
  { summary, rootFingerprint }: ApplicationContext,
): Document {
  const { application, releases } = index
  const main = html`<h1>${application}</h1>
${summary.summary === '' ? '' : html`<p class="lead">${quoted(summary.summary)}</p>`}
<h2 id="channels">Channels</h2>
${renderHeads(description.channels, summary.heads, version => `${version}/index.html`)}
${renderNewest({ description, rootFingerprint }, index)}<h2 id="releases">Releases</h2>
${releases.length === 0 ? html`<p>None yet.</p>` : releaseTable(description, index)}
`
  const above = [{ name: description.name, href: '../../index.html' }]
  const page = renderPage({ description, title: application, up: '../../', above, main })
  return pointer(applicationPage(application), page, 'text/html')
}

/** The newest of the most stable channel that has any. */
function renderNewest(site: Site, index: ReleaseIndex): Html | string {
  for (const channel of site.description.channels.toReversed()) {
    const release = headOf(index, channel)
    if (release === undefined) continue
    return html`<h2 id="install">Install ${release.version}</h2>
<p>The newest release in ${channel}. Every release has a page with the commands for it.</p>
${renderInstall(site, { application: index.application, release, channel })}`
  }
  return ''
}

function releaseTable({ channels }: RepositoryDescription, index: ReleaseIndex): Html {
  return table(
    `${countOf(index.releases.length, 'release')}, newest first`,
    [{ name: 'Version', class: 'version' }, { name: 'Date' }, { name: 'Channels', class: 'channels' }],
    index.releases.toReversed().map(release => [
      html`<a href="${hrefOf(`${release.version}/index.html`)}">${release.version}</a>${marks(release)}`,
      day(release.sourceDateEpoch * 1000),
      channelsText(
        channels.filter(channel => channelsOf(index, release.version).includes(channel)),
        release,
      ),
    ]),
  )
}

function marks(release: ListedRelease): Html {
  const kind = kindOf(release)
  return html`${kind === 'release' ? '' : html` <span class="mark">${kind}</span>`}${release.held === true ? html` <span class="mark">held</span>` : ''}`
}

function channelsText(channels: readonly string[], { yanked }: ListedRelease): Html {
  if (yanked !== undefined)
    return html`<strong class="yanked">Yanked</strong> on ${day(yanked.atMs)}${yanked.reason === '' ? '' : html`: ${quoted(yanked.reason)}`}`
  if (channels.length === 0) return html`<span class="muted">none</span>`
  return html`${channels.toReversed().map((name, at) => html`${at === 0 ? '' : ' '}<span class="mark">${name}</span>`)}`
}
