import { ComponentType, ExternalReferenceType } from '@cyclonedx/cyclonedx-library/Enums'
import {
  Component,
  ExternalReference,
  ExternalReferenceRepository,
  OrganizationalEntity,
} from '@cyclonedx/cyclonedx-library/Models'
import { packageUrl } from './purl.ts'

type Paragraph = ReadonlyMap<string, string>

/** What {@link debianComponents} says of its packages. */
export interface DebianOptions {
  /** What stands before each reference, such as the digest of a base image. */
  readonly refPrefix: string
  /** ID and VERSION_ID of os-release(5), such as `debian` and `13`. */
  readonly distribution?: { readonly id: string; readonly version?: string | undefined }
}

/**
 * List the Debian packages that dpkg's status names as installed, with their dependencies among each other.
 *
 * Pre: the content of `var/lib/dpkg/status`, or of all files of `var/lib/dpkg/status.d` with an empty line between them.
 * Post: in the order of the text, each name and architecture once; paragraphs that are no packages are left out.
 * Source: deb822(5), deb-control(5), dpkg(1) (Status).
 */
export function debianComponents(statusText: string, options: DebianOptions): readonly Component[] {
  const installed = new Map<string, { readonly paragraph: Paragraph; readonly component: Component }>()
  for (const paragraph of parseParagraphs(statusText).filter(isInstalled)) {
    const component = makeComponent(paragraph, options)
    installed.set(component.bomRef.value ?? '', { paragraph, component })
  }
  const all = [...installed.values()]
  // A package stands before what others provide in its name.
  const providers = new Map([
    ...all.flatMap(({ paragraph, component }) =>
      names(paragraph.get('provides')).map(name => [name, component] as const),
    ),
    ...all.map(({ component }) => [component.name, component] as const),
  ])
  for (const { paragraph, component } of all) {
    for (const relation of [...relations(paragraph, 'pre-depends'), ...relations(paragraph, 'depends')]) {
      // Of alternatives the first that is there.
      const found = relation.map(name => providers.get(name)).find(provider => provider !== undefined)
      if (found !== undefined && found !== component) component.dependencies.add(found.bomRef)
    }
  }
  return all.map(({ component }) => component)
}

function parseParagraphs(text: string): readonly Paragraph[] {
  return text.split(/\n[ \t]*\n/).map(paragraph => {
    const fields = new Map<string, string>()
    // Continuation lines belong to descriptions and lists of files, of which nothing is needed.
    for (const [, name = '', value = ''] of paragraph.matchAll(/^([!-9;-~]+):[ \t]*(.*)$/gm)) {
      if (!fields.has(name.toLowerCase())) fields.set(name.toLowerCase(), value.trim())
    }
    return fields
  })
}

function isInstalled(paragraph: Paragraph): boolean {
  const status = paragraph.get('status')
  const isPackage = paragraph.has('package') && paragraph.has('version')
  // Images without dpkg (status.d) have no Status.
  return isPackage && (status === undefined || status.split(' ').at(-1) === 'installed')
}

function makeComponent(paragraph: Paragraph, { refPrefix, distribution }: DebianOptions): Component {
  const [name = '', version = '', architecture] = ['package', 'version', 'architecture'].map(key => paragraph.get(key))
  const homepage = paragraph.get('homepage')
  const maintainer = paragraph.get('maintainer')
  const description = paragraph.get('description')
  const purl = packageUrl({
    type: 'deb',
    namespace: distribution?.id ?? 'debian',
    name,
    version,
    qualifiers: {
      arch: architecture,
      distro: distribution?.version === undefined ? undefined : `${distribution.id}-${distribution.version}`,
    },
  })
  return new Component(ComponentType.Library, name, {
    version,
    purl,
    bomRef: `${refPrefix}/${name}${architecture === undefined ? '' : `:${architecture}`}`,
    ...(description === undefined ? {} : { description }),
    ...(maintainer === undefined ? {} : { supplier: new OrganizationalEntity({ name: maintainer }) }),
    ...(homepage === undefined
      ? {}
      : {
          externalReferences: new ExternalReferenceRepository([
            new ExternalReference(homepage, ExternalReferenceType.Website),
          ]),
        }),
  })
}

/** The names of each relation, its alternatives in order. */
function relations(paragraph: Paragraph, field: string): readonly (readonly string[])[] {
  return (paragraph.get(field) ?? '').split(',').map(relation => relation.split('|').flatMap(name => names(name)))
}

function names(text: string | undefined): readonly string[] {
  return (text ?? '').split(',').flatMap(part => /^\s*([a-z0-9][a-z0-9+.-]+)/.exec(part)?.[1] ?? [])
}
