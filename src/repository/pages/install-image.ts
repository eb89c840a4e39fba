import { type ListedRelease, ociFolder } from '../../trust/layout.ts'
import { imageTag } from '../oci/layout.ts'
import { type Html, html } from './html.ts'
import { commands } from './parts.ts'
import { type Place, shellWord } from './place.ts'

/** Render the commands with which container tools get the image of a release: none when it has none. */
export function renderImageCommands(
  place: Place,
  application: string,
  { version, images }: Pick<ListedRelease, 'version' | 'images'>,
): readonly Html[] {
  const [image] = images
  if (image === undefined) return []
  const tag = imageTag(version)
  if (place.kind === 'folder') return [fromFolder(`${place.folder}/${ociFolder(application)}`, tag)]
  if (place.isBelowRoot) {
    return [
      html`<p>Container tools look for registries at the root of a host only. From a copy of this repository’s folder:</p>
${fromFolder(`REPOSITORY/${ociFolder(application)}`, tag)}`,
    ]
  }
  return [fromRegistry({ name: `${place.host}/${application}`, tag, digest: image.digest }, place.isPlain)]
}

function fromFolder(layout: string, tag: string): Html {
  return html`${commands('Pull with podman', `podman pull ${shellWord(`oci:${layout}:${tag}`)}`)}${commands(
    'Copy with skopeo to Docker',
    `skopeo copy ${shellWord(`oci:${layout}:${tag}`)} ${shellWord(`docker-daemon:${layout.split('/').at(-1)}:${tag}`)}`,
  )}`
}

function fromRegistry(
  { name, tag, digest }: { readonly name: string; readonly tag: string; readonly digest: string },
  isPlain: boolean,
): Html {
  const tagged = `${name}:${tag}`
  const podman = isPlain ? 'podman pull --tls-verify=false' : 'podman pull'
  const skopeo = isPlain ? 'skopeo copy --src-tls-verify=false' : 'skopeo copy'
  return html`${commands('Pull with podman', `${podman} ${shellWord(tagged)}`)}${commands('Pull with Docker', `docker pull ${shellWord(tagged)}`)}${isPlain ? html`<p>The server has no TLS: Docker wants it among its <code>insecure-registries</code>.</p>\n` : ''}${commands(
    'Copy with skopeo',
    `${skopeo} ${shellWord(`docker://${tagged}`)} ${shellWord(`oci:${name.split('/').at(-1)}:${tag}`)}`,
  )}<p>By digest, which no tag can move:</p>
${commands('Pull by digest', `${podman} ${shellWord(`${name}@${digest}`)}`)}`
}
