import { poolKey } from '../trust/layout.ts'
import { addressLocation } from './address.ts'
import type { Mirror, WantedArtifact } from './mirror.ts'

type Deb = WantedArtifact['artifact'] & { readonly kind: 'deb' }

/**
 * A mirror of an apt repository: of a release it has the packages.
 *
 * A mirror keeps the names of the repository that it mirrors (`Filename` in its indexes: our pool). Who imports packages into a repository of
 * his own, with aptly or reprepro, gives them Debian's: `pool/COMPONENT/PREFIX/SOURCE/PACKAGE_VERSION_ARCHITECTURE.deb`, the version without its
 * epoch. All of it is in the signed record, so that no index has to be read, nor believed.
 * Source: Debian repository format, `Filename`; aptly and reprepro, layout of `pool/`.
 */
export function aptMirror(name: string, url: string): Mirror {
  return {
    name,
    locate: wanted => {
      if (wanted.artifact.kind !== 'deb') return []
      const keys = [poolKey(wanted.record.name, wanted.record.version, wanted.artifact.name)]
      for (const component of ['main', wanted.record.name]) keys.push(debianKey(wanted.artifact, component))
      return keys.map(key => addressLocation(url, key))
    },
  }
}

function debianKey(deb: Deb, component: string): string {
  const source = sourceOf(deb)
  const prefix = source.startsWith('lib') ? source.slice(0, 4) : source.slice(0, 1)
  const version = deb.debianVersion.replace(/^\d+:/, '')
  return `pool/${component}/${prefix}/${source}/${deb.package}_${version}_${deb.architecture}.deb`
}

/** The source package, whose name stands in the control fields where it is another. Source: Debian Policy §5.6.1. */
function sourceOf({ control, package: name }: Deb): string {
  return /^Source:[ \t]*([a-z0-9][a-z0-9+.-]+)/im.exec(control)?.[1] ?? name
}
