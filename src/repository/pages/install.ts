import { type Digest, hexOf } from '../../core/digest.ts'
import type { ReleaseRecord } from '../../payload/release-record.ts'
import { type ListedRelease, poolKey, type RepositoryDescription } from '../../trust/layout.ts'
import { type ArtifactOf, artifactsOf } from '../artifacts.ts'
import { type Html, html } from './html.ts'
import { renderImageCommands } from './install-image.ts'
import { renderPythonCommands } from './install-python.ts'
import { sourcesKey } from './keys.ts'
import { commands } from './parts.ts'
import { addressOf, fetchCommand, type Place, placeOf, shellWord } from './place.ts'

/** A repository as its pages tell how to use it. */
export interface Site {
  readonly description: RepositoryDescription
  readonly rootFingerprint: Digest
}

/** A release that someone wants to have. */
export interface Wanted {
  readonly application: string
  readonly release: ListedRelease
  /** The most stable channel that offers it; absent when none does. */
  readonly channel: string | undefined
  /** Its record, where files are named that the list of releases does not have. */
  readonly record?: ReleaseRecord
}

/** Render the commands with which each client gets exactly one release. */
export function renderInstall(site: Site, wanted: Wanted): Html {
  const place = placeOf(site.description)
  const { application, release, record } = wanted
  const tarballs = record === undefined ? [] : artifactsOf(record, 'tarball')
  return html`<div class="ways">
${way('On a server, with Cutover', renderPrefixCommands(site, application, release.version))}${renderDebianWay(place, site, wanted)}${renderImageCommands(place, application, release).map(part => way('As a container', part))}${renderPythonCommands(place, application, release).map(part => way('With pip', part))}${tarballs.slice(0, 1).map(file => way('As a plain archive', renderTarballCommands(place, wanted, file)))}</div>
`
}

/** Show one way to install. */
export function way(title: string, content: Html): Html {
  return html`<section class="way"><h3>${title}</h3>
${content}</section>
`
}

/** Show how a prefix is made, its trust pinned, and a release put into it. */
export function renderPrefixCommands(site: Site, application: string, version: string): Html {
  const prefix = `/srv/${application}`
  const { url } = placeOf(site.description)
  return html`<p>Make a prefix once; it believes only what this root signed.</p>
${commands(
  'Make a prefix',
  `cutover init ${shellWord(prefix)} --repository ${shellWord(url)} --application ${shellWord(application)} --root-fingerprint ${site.rootFingerprint}`,
)}<p>Then install ${version}, or upgrade to it.</p>
${commands('Install the release', `${shellWord(`${prefix}/bin/install`)} --version ${shellWord(version)}`)}`
}

/** Show how apt gets to know a channel. */
export function renderSourcesCommands({ description }: Site, channel: string, application: string): Html {
  const perApplication = description.apt.components === 'application'
  const key = sourcesKey(channel, perApplication ? application : undefined)
  const name = description.name.replace(/[^A-Za-z0-9_.-]+/g, '-')
  const file = `/etc/apt/sources.list.d/${name}${perApplication ? `-${application}` : ''}.sources`
  return html`<p>Once, as root: add the channel <b>${channel}</b> with the key that signs it.</p>
${commands('Add the repository to apt', fetchCommand(placeOf(description), key, file), 'apt-get update')}`
}

function renderDebianWay(place: Place, site: Site, wanted: Wanted): Html | string {
  const { application, release, channel, record } = wanted
  const [first, ...others] = new Map(release.debs.map(deb => [deb.package, deb])).values()
  if (first === undefined) return ''
  if (channel === undefined) {
    const files = record === undefined ? [] : artifactsOf(record, 'deb')
    return way('With apt', renderDebFiles(place, wanted, files))
  }
  const install = commands('Install the package', `apt-get install ${shellWord(`${first.package}=${first.version}`)}`)
  const also = html`<p>Further packages of it: ${others.map((deb, at) => html`${at === 0 ? '' : ', '}<code>${deb.package}=${deb.version}</code>`)}.</p>`
  return way(
    'With apt',
    html`${renderSourcesCommands(site, channel, application)}<p>Then exactly this version.</p>
${install}${others.length === 0 ? '' : also}`,
  )
}

/** What no channel offers, apt does not list: its file is fetched by itself. */
function renderDebFiles(place: Place, { application, release }: Wanted, files: readonly ArtifactOf<'deb'>[]): Html {
  return html`<p>No channel offers this release, so apt does not list it. Its packages by themselves:</p>
${files.map(deb =>
  commands(
    `Install ${deb.name}`,
    fetchCommand(place, poolKey(application, release.version, deb.name), deb.name),
    checkCommand(deb),
    `apt-get install ${shellWord(`./${deb.name}`)}`,
  ),
)}`
}

function renderTarballCommands(place: Place, { application, release }: Wanted, tarball: ArtifactOf<'tarball'>): Html {
  const folder = `${application}-${release.version}`
  return html`<p>Fetch it, compare its digest, unpack it.</p>
${commands(
  'Fetch and unpack the archive',
  fetchCommand(place, poolKey(application, release.version, tarball.name), tarball.name),
  checkCommand(tarball),
  `mkdir ${shellWord(folder)} && tar -xf ${shellWord(tarball.name)} -C ${shellWord(folder)}`,
)}`
}

/** Two spaces, as sha256sum reads its own lists. */
function checkCommand({ name, digest }: { readonly name: string; readonly digest: Digest }): string {
  return `echo ${shellWord(`${hexOf(digest)}  ${name}`)} | sha256sum --check`
}

/** Show what to compare, wherever a root is believed for the first time. */
export function renderFingerprint({ description, rootFingerprint }: Site): Html {
  const place = placeOf(description)
  return html`<p>All trust hangs on one file, <code>metadata/root.json</code>. Compare its fingerprint with one that its vendor gave you by another way than this page.</p>
${commands('Fingerprint of the root', rootFingerprint)}<p>It is the digest of the file:</p>
${commands(
  'Compute the fingerprint',
  place.kind === 'folder'
    ? `sha256sum ${shellWord(`${place.folder}/metadata/root.json`)}`
    : `curl -fsSL ${addressOf(place, 'metadata/root.json')} | sha256sum`,
)}`
}
