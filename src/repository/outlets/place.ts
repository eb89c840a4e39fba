import { ReleaseError } from '../../core/error.ts'
import { parseReference } from '../../registry/reference.ts'

/** What an outlet's name says. */
export type OutletPlace =
  /** `oci://HOST[:PORT]/NAMESPACE`: the image of a component goes to `NAMESPACE/COMPONENT`. */
  | { readonly kind: 'registry'; readonly registry: string; readonly namespace: string }
  /** `github:OWNER/REPO` */
  | { readonly kind: 'github'; readonly owner: string; readonly repository: string }

const registryPrefix = 'oci://'
const githubPrefix = 'github:'

/** Tell whether a place is an outlet's; all others are targets of the repository itself. */
export function isOutlet(place: string): boolean {
  return place.startsWith(registryPrefix) || place.startsWith(githubPrefix)
}

/** Read the name of an outlet. Errors: OUTLET_INVALID. */
export function parseOutletPlace(place: string): OutletPlace {
  if (place.startsWith(registryPrefix)) return parseRegistry(place)
  // Source: GitHub's rules for names of accounts and repositories.
  const match = /^github:([A-Za-z0-9](?:[A-Za-z0-9-]{0,38}))\/([A-Za-z0-9._-]{1,100})$/.exec(place)
  const [, owner, repository] = match ?? []
  if (owner === undefined || repository === undefined || /^\.{1,2}$/.test(repository)) {
    throw invalid(place, 'expected github:OWNER/REPO or oci://HOST[:PORT]/NAMESPACE')
  }
  return { kind: 'github', owner, repository }
}

function parseRegistry(place: string): OutletPlace {
  const text = place.slice(registryPrefix.length)
  try {
    // As part of a name: alone, one of a single word at Docker Hub would be below `library/`.
    const { registry, repository } = parseReference(`${text}/component`)
    const namespace = repository.slice(0, -'/component'.length)
    // Without a host it would be Docker Hub's, which nobody means who wrote an address.
    if (namespace !== '' && text.toLowerCase().startsWith(`${registry}/`)) {
      return { kind: 'registry', registry, namespace }
    }
  } catch (caught) {
    if (!(caught instanceof ReleaseError)) throw caught
    throw invalid(place, caught.message)
  }
  throw invalid(place, 'expected oci://HOST[:PORT]/NAMESPACE, without a tag')
}

function invalid(place: string, why: string): ReleaseError {
  const shown = place.slice(0, 200)
  return new ReleaseError('OUTLET_INVALID', `${JSON.stringify(shown)} is no place for releases: ${why}`, {
    details: { place: shown },
  })
}
