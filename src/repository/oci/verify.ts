import { type Digest, isDigest } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import { ociFolder } from '../../trust/layout.ts'
import { imageTag, tagAnnotation } from './layout.ts'

/** Check that a layout's index names the image of a version as the record does. Errors: TRUST_MISMATCH. */
export function assertTagged(indexBytes: Buffer, application: string, version: string, expected: Digest): void {
  const found = taggedDigest(indexBytes, imageTag(version))
  if (found === expected) return
  throw new ReleaseError(
    'TRUST_MISMATCH',
    `${ociFolder(application)}/index.json has ${found ?? 'nothing'} for ${version}, the record says ${expected}`,
    { details: { application, version, found, expected } },
  )
}

function taggedDigest(indexBytes: Buffer, tag: string): Digest | undefined {
  let index: unknown
  try {
    index = JSON.parse(indexBytes.toString('utf8'))
  } catch {
    return undefined
  }
  const manifests = (index as { readonly manifests?: unknown } | null)?.manifests
  if (!Array.isArray(manifests)) return undefined
  const entry = manifests.find(manifest => manifest?.annotations?.[tagAnnotation] === tag) as
    | { readonly digest?: unknown }
    | undefined
  return isDigest(entry?.digest) ? entry.digest : undefined
}
