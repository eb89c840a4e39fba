import { fileURLToPath } from 'node:url'
import type { Digest } from '../../core/digest.ts'
import { formatBytes } from '../../core/quantity.ts'
import { isPreRelease } from '../../core/version.ts'
import type { Artifact, ReleaseRecord } from '../../payload/release-record.ts'
import { ociBlobKey, ociFolder, poolKey, type RepositoryDescription } from '../../trust/layout.ts'
import { artifactsOf, type Catalogue, type CatalogueEntry, suiteOf } from '../catalogue.ts'
import { type Document, pointer } from '../document.ts'
import type { ReleaseEvidence } from '../evidence.ts'
import { renderEvidenceSection } from './evidence.ts'
import { type Html, hrefOf, html, renderPage } from './html.ts'

/** The page of an application, relative to the repository. */
const applicationPage = (application: string) => `pages/${application}/index.html`
/** The page of a release, relative to the repository. */
const releasePage = (record: ReleaseRecord) => `pages/${record.name}/${record.version}/index.html`

/** Render a repository's entrance. `rootFingerprint` is what a person compares before trusting it. */
export function renderEntrance(catalogue: Catalogue, rootFingerprint: Digest): Document {
  const { description, applications } = catalogue
  const main = html`<h1>${description.name}</h1>
<p class="muted">A repository of applications. Fingerprint of its root: <code>${rootFingerprint}</code></p>
<h2 id="applications">Applications</h2>
${applications.length === 0 ? html`<p>None yet.</p>` : applicationTable(applications)}
<h2 id="apt">Debian packages</h2>
${commands(
  'Commands to add the apt repository',
  `curl -fsS ${shellUrl(description, sourcesKey('stable'))} -o ${sourcesFile(description, 'stable')}`,
  'apt-get update',
)}
<p>Pre-releases and snapshots are in the suite <code>edge</code>: <a href="${sourcesKey('edge')}">${sourcesKey('edge')}</a>.</p>
`
  return pointer('index.html', renderPage(description.name, main), 'text/html')
}

/** Render an application's list of releases. */
export function renderApplication(description: RepositoryDescription, entry: CatalogueEntry): Document {
  const newest = newestRelease(entry)
  const main = html`<p><a href="../../index.html">${description.name}</a></p>
<h1>${entry.name}</h1>
${newest === undefined ? '' : html`<p>${newest.summary}</p>`}
<h2 id="releases">Releases</h2>
${entry.releases.length === 0 ? html`<p>None yet.</p>` : releaseTable(entry)}
`
  return pointer(applicationPage(entry.name), renderPage(`${entry.name} · ${description.name}`, main), 'text/html')
}

/** Render a release: what changed, its files with digests, how it was made, and how to get it. */
export function renderRelease(
  description: RepositoryDescription,
  record: ReleaseRecord,
  evidence?: ReleaseEvidence,
): Document {
  const title = `${record.name} ${record.version}`
  const main = html`<p><a href="../../../index.html">${description.name}</a> / <a href="../index.html">${record.name}</a></p>
<h1>${title}</h1>
<p>${record.summary}</p>
<p class="muted">${day(record)} · ${kindOf(record)} · ${record.licence} · commit <code>${record.commit}</code></p>
<h2 id="install">Install</h2>
${installCommands(description, record)}
<h2 id="changes">Changes</h2>
<pre tabindex="0"><code>${record.changes.trim() === '' ? 'Nothing was written down.' : record.changes.trim()}</code></pre>
<h2 id="files">Files</h2>
${fileTable(record)}
${renderEvidenceSection(record, evidence)}`
  return pointer(releasePage(record), renderPage(`${title} · ${description.name}`, main), 'text/html')
}

/** The key of the file that an apt client adds to its sources. */
export const sourcesKey = (suite: string): string => `apt/${suite}.sources`

function applicationTable(applications: readonly CatalogueEntry[]): Html {
  return table(
    'Applications',
    ['Application', 'Newest release', 'Date', 'About'],
    applications.map(entry => {
      const newest = newestRelease(entry)
      const name = html`<a href="${hrefOf(applicationPage(entry.name))}">${entry.name}</a>`
      if (newest === undefined) return [name, 'none yet', '', '']
      return [name, html`<a href="${hrefOf(releasePage(newest))}">${newest.version}</a>`, day(newest), newest.summary]
    }),
  )
}

function releaseTable(entry: CatalogueEntry): Html {
  return table(
    `Releases of ${entry.name}, newest first`,
    ['Version', 'Date', 'Kind', 'Commit'],
    entry.releases
      .toReversed()
      .map(record => [
        html`<a href="${hrefOf(`${record.version}/index.html`)}">${record.version}</a>`,
        day(record),
        kindOf(record),
        html`<code>${record.commit.slice(0, 12)}</code>`,
      ]),
  )
}

function fileTable(record: ReleaseRecord): Html {
  return table(
    `Files of ${record.name} ${record.version}`,
    ['File', 'Kind', 'Size', 'Digest'],
    record.components
      .flatMap(component => component.artifacts)
      .map(artifact => [
        html`<a href="${hrefOf(`../../../${artifactKey(record, artifact)}`)}">${artifact.name}</a>`,
        artifact.kind,
        formatBytes(artifact.sizeBytes),
        html`<code>${artifact.digest}</code>`,
      ]),
  )
}

/** The key of an artifact: an image is its index in the layout. */
function artifactKey(record: ReleaseRecord, artifact: Artifact): string {
  if (artifact.kind === 'oci') return ociBlobKey(record.name, artifact.digest)
  return poolKey(record.name, record.version, artifact.name)
}

function installCommands(description: RepositoryDescription, record: ReleaseRecord): Html {
  const { name, version } = record
  const [deb] = artifactsOf(record, 'deb')
  const [python] = artifactsOf(record, 'python')
  const image = artifactsOf(record, 'oci').length > 0
  const prefix = `/srv/${name}`
  return html`<h3>On a server, into a prefix</h3>
${commands(
  'Commands to install into a prefix',
  `cutover init ${prefix} --repository ${description.url} --application ${name} --environment production`,
  `cd ${prefix} && bin/install --version ${version}`,
)}
${deb === undefined ? '' : html`<h3>As a Debian package</h3>${commands('Commands to install with apt', `apt-get install ${deb.package}=${deb.debianVersion}`)}`}
${image ? html`<h3>As a container image</h3>${commands('Commands to pull the image', `podman pull oci:${localFolder(description)}/${ociFolder(name)}:${version}`)}` : ''}
${python === undefined ? '' : html`<h3>With pip</h3>${commands('Commands to install with pip', `pip install --index-url ${shellUrl(description, 'simple/')} ${python.project}==${version}`)}`}
`
}

function table(caption: string, columns: readonly string[], rows: readonly (readonly (Html | string)[])[]): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}">
<table>
<thead><tr>${columns.map(column => html`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>
${rows.map(row => html`<tr>${row.map((cell, at) => html`<td${columns[at] === 'Digest' ? html` class="digest"` : ''}>${cell}</td>`)}</tr>\n`)}</tbody>
</table>
</div>`
}

function commands(label: string, ...lines: readonly string[]): Html {
  return html`<pre tabindex="0" aria-label="${label}"><code>${lines.join('\n')}</code></pre>`
}

function newestRelease(entry: CatalogueEntry): ReleaseRecord | undefined {
  return entry.releases.findLast(record => suiteOf(record) === 'stable') ?? entry.releases.at(-1)
}

function kindOf(record: ReleaseRecord): string {
  if (record.tag === undefined) return 'snapshot'
  return isPreRelease(record.version) ? 'pre-release' : 'release'
}

function day(record: ReleaseRecord): string {
  return new Date(record.sourceDateEpoch * 1000).toISOString().slice(0, 10)
}

function sourcesFile(description: RepositoryDescription, suite: string): string {
  return `/etc/apt/sources.list.d/${description.name}-${suite}.sources`
}

function shellUrl(description: RepositoryDescription, key: string): string {
  return `${description.url.replace(/\/$/, '')}/${key}`
}

/** Images are read from a folder: the repository's own, or wherever a copy of it is. */
function localFolder(description: RepositoryDescription): string {
  return description.url.startsWith('file:') ? fileURLToPath(description.url).replace(/\/$/, '') : 'REPOSITORY-FOLDER'
}
