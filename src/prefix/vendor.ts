import path from 'node:path'
import { hexOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import type { PayloadManifest } from '../payload/manifest.ts'

/** What pip is told to install: everything that the vendor folder holds, each in the one version and with the digests of the manifest. */
export interface Requirements {
  /** For `-r`: `name==version --hash=sha256:…`, a line for each package. */
  readonly requirements: string
  /** For `-c`: what the recipe asks of the versions. */
  readonly constraints: string
}

interface Distribution {
  /** As pip compares names. */
  readonly key: string
  readonly name: string
  readonly version: string
  readonly hash: string
}

/** What a recipe writes to have a package installed: `name[extras]==version`. Source: PEP 508. */
const specification = /^\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[^\]]*\])?\s*(.*)$/

/**
 * Write down for pip what a vendor folder holds, by the digests of the signed manifest.
 *
 * Pure. With hashes pip takes nothing that is not pinned, dependencies included: hence all of the folder is named, and installed.
 * Errors: SETUP_FAILED naming what the folder lacks, or a package that it has in two versions, neither of which the recipe names.
 * Source: pip's "Secure installs"; the names of files after the binary distribution format and PEP 625.
 */
export function vendorRequirements(
  manifest: Pick<PayloadManifest, 'files' | 'version'>,
  vendor: string,
  packages: readonly string[],
): Requirements {
  const wanted = packages.map(readSpecification)
  const groups = Map.groupBy(distributions(manifest, vendor), each => each.key)
  const missing = wanted.find(each => !groups.has(each.key))
  if (missing !== undefined) throw refused(`${vendor} holds no wheel or source distribution of ${missing.name}`, vendor)
  const lines = [...groups].map(([key, group]) => {
    const asked = wanted.find(each => each.key === key)
    const chosen = oneVersion(group, asked?.pinned, vendor)
    const hashes = chosen.map(each => `--hash=sha256:${each.hash}`)
    return `${chosen[0]!.name}${asked?.extras ?? ''}==${chosen[0]!.version} ${hashes.join(' ')}\n`
  })
  const constraints = wanted.flatMap(each => (each.rest === '' ? [] : [`${each.name}${each.rest}\n`]))
  return { requirements: lines.join(''), constraints: constraints.join('') }
}

function readSpecification(text: string) {
  const [, name = '', extras = '', rest = ''] = specification.exec(text) ?? []
  if (name === '') throw refused(`${JSON.stringify(text)} names no package`, text)
  return { key: keyOf(name), name, extras, rest, pinned: /^==\s*([^\s,;*]+)\s*(;.*)?$/.exec(rest)?.[1] }
}

function oneVersion(group: readonly Distribution[], pinned: string | undefined, vendor: string) {
  const versions = [...new Set(group.map(each => each.version))]
  const chosen = versions.length === 1 ? versions[0] : versions.find(version => version === pinned)
  if (chosen !== undefined) return group.filter(each => each.version === chosen)
  throw refused(`${vendor} holds ${group[0]!.name} in the versions ${versions.join(' and ')}, expected one`, vendor)
}

function distributions(manifest: Pick<PayloadManifest, 'files'>, vendor: string): readonly Distribution[] {
  return manifest.files.flatMap(entry => {
    if (entry.type !== 'file' || path.dirname(entry.path) !== vendor) return []
    const parts = partsOf(path.basename(entry.path))
    return parts === undefined ? [] : [{ ...parts, key: keyOf(parts.name), hash: hexOf(entry.digest) }]
  })
}

function partsOf(file: string): { readonly name: string; readonly version: string } | undefined {
  const wheel = /^([A-Za-z0-9._]+)-([A-Za-z0-9._!+]+)(-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl$/.exec(file)
  const source = /^([A-Za-z0-9._-]+)-([A-Za-z0-9._!+]+)\.(?:tar\.(?:gz|bz2|xz)|tgz|zip)$/.exec(file)
  const [, name, version] = wheel ?? source ?? []
  return name === undefined || version === undefined ? undefined : { name, version }
}

/** Source: PEP 503, normalized names. */
function keyOf(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-')
}

function refused(what: string, subject: string): ReleaseError {
  return new ReleaseError('SETUP_FAILED', `the packages of the release cannot be installed: ${what}`, {
    hint: 'the vendor folder must hold what is to be installed, dependencies included, and nothing else: correct the build and cut a new version',
    details: { vendor: subject },
  })
}
