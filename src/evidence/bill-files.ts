import { ComponentType, HashAlgorithm } from '@cyclonedx/cyclonedx-library/Enums'
import type { JSON as Json } from '@cyclonedx/cyclonedx-library/Serialize'
import { hexOf } from '../core/digest.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import { applicationRef, type BillDocument } from './cyclonedx.ts'
import { type FoundPackage, refOf } from './found.ts'

type NormalizedComponent = Json.Types.Normalized.Component

/** Give each package that is one file that file's digest, and name those files: they are not listed again. */
export function digestArchives(packages: readonly FoundPackage[], manifest: PayloadManifest): ReadonlySet<string> {
  const byArchive = new Map(
    packages.flatMap(({ archive, component }) => (archive === undefined ? [] : [[archive, component]])),
  )
  for (const file of manifest.files) {
    if (file.type !== 'file') continue
    byArchive.get(file.path)?.hashes.set(HashAlgorithm['SHA-256'], hexOf(file.digest))
  }
  return new Set(byArchive.keys())
}

/**
 * Nest every file in the component that it belongs to, and count them.
 *
 * They are added as plain objects: building and normalising 20,000 components of the library takes 150 ms, this takes 20.
 */
export function addFiles(
  bill: BillDocument,
  options: {
    readonly packages: readonly FoundPackage[]
    readonly manifest: PayloadManifest
    readonly archives: ReadonlySet<string>
  },
): number {
  const ownerOf = fileOwners(options.packages)
  const byOwner = new Map<string, NormalizedComponent[]>()
  let count = 0
  for (const file of options.manifest.files) {
    if (file.type !== 'file' || options.archives.has(file.path)) continue
    const owner = ownerOf(file.path)
    const files = byOwner.get(owner) ?? []
    files.push({
      type: ComponentType.File,
      name: file.path,
      hashes: [{ alg: HashAlgorithm['SHA-256'], content: hexOf(file.digest) }],
    })
    byOwner.set(owner, files)
    count += 1
  }
  for (const component of [bill.metadata?.component, ...(bill.components ?? [])]) {
    const files = byOwner.get(component?.['bom-ref'] ?? '')
    if (component !== undefined && files !== undefined) component.components = files
  }
  return count
}

/** Who owns a file: the package that says so, else the one with the nearest folder above it, else the application. */
function fileOwners(packages: readonly FoundPackage[]): (path: string) => string {
  const byFile = new Map(packages.flatMap(each => (each.files ?? []).map(file => [file, refOf(each)])))
  const byFolder = new Map([['', applicationRef]])
  for (const each of packages) if (each.folder !== undefined) byFolder.set(each.folder, refOf(each))
  const ownerOfFolder = (folder: string): string => {
    const known = byFolder.get(folder)
    if (known !== undefined) return known
    const owner = ownerOfFolder(parent(folder))
    byFolder.set(folder, owner)
    return owner
  }
  return path => byFile.get(path) ?? ownerOfFolder(parent(path))
}

function parent(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
