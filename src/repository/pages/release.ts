import type { Digest } from '../../core/digest.ts'
import { formatBytes } from '../../core/quantity.ts'
import type { Artifact, ReleaseRecord } from '../../payload/release-record.ts'
import {
  type ListedRelease,
  ociBlobKey,
  poolKey,
  type ReleaseIndex,
  type RepositoryDescription,
} from '../../trust/layout.ts'
import { channelsOf, releaseIn } from '../channels.ts'
import { type Document, pointer } from '../document.ts'
import type { ReleaseEvidence } from '../evidence.ts'
import { renderEvidenceSection } from './evidence.ts'
import { type Html, hrefOf, html } from './html.ts'
import { renderInstall, type Site } from './install.ts'
import { releasePage } from './keys.ts'
import { renderMarkdown } from './markdown.ts'
import { safeHref } from './markdown-inline.ts'
import { renderPage } from './page.ts'
import { contents, day, facts, kindOf, quoted, table } from './parts.ts'

/** What a release's page tells beside its record. */
export interface ReleaseContext {
  /** The list that has the release: its channels, and whether it was withdrawn. */
  readonly index: ReleaseIndex
  readonly rootFingerprint: Digest
  readonly evidence?: ReleaseEvidence | undefined
}

/**
 * Render a release's page: what changed, how to get it, its files with digests, how it was made.
 *
 * Pre: the index lists the release. The page changes with the record, and with its line and its channels in the index. Errors:
 * RELEASE_UNKNOWN.
 */
export function renderRelease(
  description: RepositoryDescription,
  record: ReleaseRecord,
  { index, rootFingerprint, evidence }: ReleaseContext,
): Document {
  const site: Site = { description, rootFingerprint }
  const { name, version } = record
  const release = releaseIn(index, version)
  const member = channelsOf(index, version)
  const channels = description.channels.filter(channel => member.includes(channel))
  const channel = release.yanked === undefined ? channels.at(-1) : undefined
  const main = html`<h1>${name} ${version}</h1>
${release.yanked === undefined ? '' : withdrawal(release.yanked)}<p class="lead">${quoted(record.summary)}</p>
${facts(aboutOf(record, release, channels))}${contents([
  ['changes', 'Changes'],
  ['install', 'Install'],
  ['files', 'Files'],
  ['evidence', 'Evidence'],
])}<h2 id="changes">Changes</h2>
${record.changes.trim() === '' ? html`<p>Nothing was written down.</p>` : html`<div class="prose">\n${renderMarkdown(record.changes, 3)}</div>`}
<h2 id="install">Install</h2>
${renderInstall(site, { application: name, release, channel, record })}<h2 id="files">Files</h2>
${fileTable(record)}<h2 id="evidence">Evidence</h2>
${renderEvidenceSection(site, record, evidence)}`
  const above = [
    { name: description.name, href: '../../../index.html' },
    { name, href: '../index.html' },
  ]
  const page = renderPage({ description, title: `${name} ${version}`, up: '../../../', above, main })
  return pointer(releasePage(name, version), page, 'text/html')
}

/** What someone has to know who came here by an old link. What to take instead changes with every release: the list says it. */
function withdrawal({ reason, atMs }: NonNullable<ListedRelease['yanked']>): Html {
  return html`<div class="notice" role="note">
<p><strong>This release was yanked</strong> on ${day(atMs)}${reason === '' ? '' : html`: ${quoted(reason)}`}</p>
<p>No channel offers it any more; whoever names exactly this version still gets it. See <a href="../index.html">what the channels offer</a> instead.</p>
</div>
`
}

function aboutOf(
  record: ReleaseRecord,
  release: ListedRelease,
  channels: readonly string[],
): readonly (readonly [string, Html | string])[] {
  const { homepage, previous } = record
  const where = release.yanked === undefined ? channels.toReversed().join(', ') : ''
  return [
    ['Date', day(record.sourceDateEpoch * 1000)],
    ['Channels', where === '' ? 'none' : where],
    ['Kind', `${kindOf(release)}${release.held === true ? ', held' : ''}`],
    ['Licence', record.licence],
    ...(homepage === undefined ? [] : [['Homepage', linked(homepage)] as const]),
    ...(previous === undefined ? [] : [['Upgrade tried from', previous] as const]),
    ['Commit', html`<code>${record.commit}</code>`],
  ]
}

function linked(address: string): Html | string {
  const href = safeHref(address)
  return href === undefined ? address : html`<a href="${href}" rel="nofollow">${address}</a>`
}

function fileTable(record: ReleaseRecord): Html {
  const artifacts = record.components.flatMap(component => component.artifacts)
  return table(
    `Files of ${record.name} ${record.version}`,
    [
      { name: 'File and digest', class: 'file' },
      { name: 'Kind', class: 'kind' },
      { name: 'Size', class: 'size' },
    ],
    artifacts.map(artifact => [
      html`<a href="${hrefOf(`../../../${artifactKey(record, artifact)}`)}">${artifact.name}</a><code class="digest">${artifact.digest}</code>`,
      artifact.kind === 'oci' ? 'image index' : artifact.kind,
      formatBytes(artifact.sizeBytes),
    ]),
  )
}

/** The key of an artifact: an image is its index in the layout. */
function artifactKey(record: ReleaseRecord, artifact: Artifact): string {
  if (artifact.kind === 'oci') return ociBlobKey(record.name, artifact.digest)
  return poolKey(record.name, record.version, artifact.name)
}
