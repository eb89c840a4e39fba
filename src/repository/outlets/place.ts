import { ReleaseError } from '../../core/error.ts'
import { parseGithubRepository } from '../../core/github.ts'
import { parseNamespace } from '../../registry/reference.ts'

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
  const github = parseGithubRepository(place)
  if (github !== undefined) return { kind: 'github', ...github }
  throw invalid(place, 'expected github:OWNER/REPO or oci://HOST[:PORT]/NAMESPACE')
}

function parseRegistry(place: string): OutletPlace {
  try {
    return { kind: 'registry', ...parseNamespace(place.slice(registryPrefix.length)) }
  } catch (caught) {
    if (!(caught instanceof ReleaseError)) throw caught
    throw invalid(place, caught.message)
  }
}

function invalid(place: string, why: string): ReleaseError {
  const shown = place.slice(0, 200)
  return new ReleaseError('OUTLET_INVALID', `${JSON.stringify(shown)} is no place for releases: ${why}`, {
    details: { place: shown },
  })
}
