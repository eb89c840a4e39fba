import type { Digest } from '../../core/digest.ts'
import { compareBytes } from '../../core/relative-path.ts'
import type { RepositoryDescription } from '../../trust/layout.ts'
import { type Document, pointer } from '../document.ts'
import type { ApplicationSummary, Ledger } from '../ledger.ts'
import { renderHeads } from './heads.ts'
import { type Html, hrefOf, html } from './html.ts'
import { renderFingerprint, renderPrefixCommands, renderSourcesCommands, type Site, way } from './install.ts'
import { pipCommand } from './install-python.ts'
import { applicationPage, sourcesKey } from './keys.ts'
import { renderPage } from './page.ts'
import { commands, contents, countOf, quoted } from './parts.ts'
import { placeOf } from './place.ts'

type Named = readonly [name: string, summary: ApplicationSummary]

/**
 * Render a repository's front page: its applications with what each channel offers, and how clients are set up.
 *
 * `rootFingerprint` is what a person compares before trusting it.
 */
export function renderEntrance(description: RepositoryDescription, ledger: Ledger, rootFingerprint: Digest): Document {
  const applications = Object.entries(ledger.applications).toSorted(([a], [b]) => compareBytes(a, b))
  const main = html`<h1>${description.name}</h1>
<p class="lead">${countOf(applications.length, 'application')} in the ${description.channels.length === 1 ? 'channel' : 'channels'} ${description.channels.toReversed().join(', ')}.</p>
${contents([
  ['applications', 'Applications'],
  ['install', 'Install'],
  ['trust', 'Trust'],
])}<h2 id="applications">Applications</h2>
${applications.length === 0 ? html`<p>None yet.</p>` : html`<ul class="cards" role="list">\n${applications.map(each => card(description, each))}</ul>`}
<h2 id="install">Install</h2>
${renderClients({ description, rootFingerprint }, applications)}
<h2 id="trust">Trust</h2>
${renderFingerprint({ description, rootFingerprint })}<p>Files for programs: <a href="repository.json">description of the repository</a>, <a href="metadata/root.json">root of TUF</a>, <a href="apt/key.asc">OpenPGP key of the packages</a>.</p>
`
  const page = renderPage({ description, title: description.name, up: '', above: [], main })
  return pointer('index.html', page, 'text/html')
}

function card({ channels }: RepositoryDescription, [name, { summary, heads, releases }]: Named): Html {
  return html`<li class="card"><h3><a href="${hrefOf(applicationPage(name))}">${name}</a></h3>
${summary === '' ? '' : html`<p>${quoted(summary)}</p>\n`}${renderHeads(channels, heads, version => `pages/${name}/${version}/index.html`)}<p class="muted">${countOf(releases, 'release')}</p></li>
`
}

function renderClients(site: Site, applications: readonly Named[]): Html {
  const { description } = site
  const channel = description.channels.at(-1)!
  const example = applications.find(([, { heads }]) => heads[channel] !== undefined) ?? applications.find(hasHead)
  if (example === undefined) return html`<p>There is nothing to install yet.</p>`
  const [name, { heads }] = example
  const version = (heads[channel] ?? Object.values(heads)[0])!.version
  const place = placeOf(description)
  const projects = applications.flatMap(each => each[1].projects)
  const project = projects.find(each => each === name) ?? example[1].projects[0] ?? projects[0]
  const hasPackages = applications.some(([, { packages }]) => packages.length > 0)
  return html`<p>What each client needs once, with <b>${name}</b> as the example. Every application and every release has a page with the commands for it.</p>
<div class="ways">
${way('On a server, with Cutover', renderPrefixCommands(site, name, version))}${hasPackages ? way('With apt', html`${renderSourcesCommands(site, channel, name)}${otherSources(description, name)}`) : ''}${place.kind === 'web' && !place.isBelowRoot ? way('As a container', html`<p>This server answers <code>podman</code>, <code>docker</code> and <code>skopeo</code> as a registry when it is run by <code>release serve</code> or configured to: images are called <code>${place.host}/APPLICATION:CHANNEL</code> or <code>:VERSION</code>.</p>`) : ''}${project === undefined ? '' : way('With pip', commands('Install with pip', pipCommand(place, project)))}</div>
`
}

const hasHead = ([, { heads }]: Named) => Object.keys(heads).length > 0

function otherSources({ apt, channels }: RepositoryDescription, application: string): Html | string {
  const others = channels.slice(0, -1).toReversed()
  if (others.length === 0) return ''
  const links = others.map((channel, at) => {
    const key = sourcesKey(channel, apt.components === 'application' ? application : undefined)
    return html`${at === 0 ? '' : ', '}<a href="${hrefOf(key)}">${channel}</a>`
  })
  return html`<p>The same for the channels ${links}.</p>\n`
}
