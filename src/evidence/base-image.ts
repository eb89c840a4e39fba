import { ComponentType, HashAlgorithm } from '@cyclonedx/cyclonedx-library/Enums'
import { Component, ComponentRepository, HashDictionary } from '@cyclonedx/cyclonedx-library/Models'
import { type Digest, hexOf } from '../core/digest.ts'
import { debianComponents } from './debian.ts'
import { packageUrl } from './purl.ts'

/** An image that a release builds on, as far as its layers tell. */
export interface BaseImage {
  /** As the recipe names it, such as `debian:13-slim`. */
  readonly reference: string
  /** The manifest's, of one platform. */
  readonly digest: Digest
  /** Such as `linux/amd64`. */
  readonly platform: string
  /** `var/lib/dpkg/status`, or the files of `status.d` with empty lines between them; empty when it has neither. */
  readonly dpkgStatus: string
  /** `etc/os-release`. */
  readonly osRelease?: string | undefined
}

/** Describe a base image with the Debian packages in it. Post: the references of its packages begin with its own. */
export function baseImageComponent(image: BaseImage): Component {
  const { reference, digest, platform } = image
  const ref = `/${digest}`
  const name = reference.replace(/@sha256:[0-9a-f]{64}$/, '').replace(/:[^:/]+$/, '')
  const { ID: id = 'debian', VERSION_ID: version } = parseOsRelease(image.osRelease ?? '')
  const packages = debianComponents(image.dpkgStatus, { refPrefix: ref, distribution: { id, version } })
  const component = new Component(ComponentType.Container, name, {
    version: digest,
    bomRef: ref,
    hashes: new HashDictionary([[HashAlgorithm['SHA-256'], hexOf(digest)]]),
    purl: packageUrl({
      type: 'oci',
      name: name.split('/').at(-1) ?? name,
      version: digest,
      qualifiers: { arch: platform.split('/')[1] },
    }),
    components: new ComponentRepository(packages),
  })
  const needed = new Set(packages.flatMap(each => [...each.dependencies]))
  for (const each of packages) if (!needed.has(each.bomRef)) component.dependencies.add(each.bomRef)
  return component
}

/** Source: os-release(5), as far as identifiers go: they need no escapes. */
function parseOsRelease(text: string): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    [...text.matchAll(/^([A-Z_]+)=["']?([A-Za-z0-9._-]*)["']?$/gm)].map(([, key, value]) => [key, value]),
  )
}
