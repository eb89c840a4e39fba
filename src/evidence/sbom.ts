import { canonicalJson } from '../core/canonical-json.ts'
import { digestOf, hexOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { compareBytes } from '../core/relative-path.ts'
import { toolVersion } from '../core/tool.ts'
import type { Tree } from '../core/tree.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import { type BaseImage, baseImageComponent } from './base-image.ts'
import { addFiles, digestArchives } from './bill-files.ts'
import { billOf, type DescribedApplication } from './cyclonedx.ts'
import { type Findings, refOf } from './found.ts'
import { findNpmPackages } from './npm.ts'
import { NpmLocks } from './npm-lock.ts'
import { PayloadView } from './payload-view.ts'
import { findPythonPackages } from './python.ts'
import type { Problem } from './unreadable.ts'

/** The media type of an SBOM, as an artifact of a release and as a referrer of an image. */
export const sbomType = 'application/vnd.cyclonedx+json'

/** What was found out about a payload's tree, while it may still be being packed. */
export interface Inventory extends Findings {
  readonly problems: readonly Problem[]
  /** Of the files that were read, to be compared with what was packed. */
  readonly digests: PayloadView['digests']
}

/** A bill of materials, ready to be stored, with what people are told of it. */
export interface Sbom {
  readonly bytes: Buffer
  readonly packages: number
  readonly files: number
  readonly problems: readonly Problem[]
}

/**
 * Find the packages in a payload's tree: npm's and Python's.
 *
 * Only files that describe packages are read, so this can run while the same tree is packed. What claims to describe a package and cannot
 * be read is a problem, never an error. Errors: FILE_IO.
 */
export async function takeInventory(options: {
  readonly tree: Tree
  /** Where lock files are looked for: the checkout that the tree was built in. */
  readonly checkoutFolder?: string | undefined
}): Promise<Inventory> {
  const view = new PayloadView(options.tree)
  const npm = findNpmPackages(view, new NpmLocks(options.checkoutFolder, view))
  const python = await findPythonPackages(view)
  return {
    packages: [...npm.packages, ...python.packages].sort((a, b) => compareBytes(refOf(a), refOf(b))),
    wanted: npm.wanted,
    problems: view.problems,
    digests: view.digests,
  }
}

/**
 * Make the SBOM of a payload: CycloneDX JSON with every package and every file that was packed.
 *
 * Shape: a file is a component with its SHA-256, nested in the package that it belongs to, else in the application.
 * Post: the same bytes for the same payload: the time is `sourceDateEpoch`, the serial number follows from what it describes.
 * Errors: PAYLOAD_CHANGED: a file that was read is not what was packed. Source: CycloneDX 1.6 (ECMA-424).
 */
export function createSbom(options: {
  readonly inventory: Inventory
  readonly manifest: PayloadManifest
  readonly application: DescribedApplication
  readonly baseImages?: readonly BaseImage[]
}): Sbom {
  const { inventory, manifest, application } = options
  const { packages, wanted, problems } = inventory
  const baseImages = options.baseImages ?? []
  assertPacked(inventory, manifest)
  const archives = digestArchives(packages, manifest)
  const bill = billOf({
    application,
    sourceDateEpoch: manifest.sourceDateEpoch,
    serialNumber: serialNumber({
      ...application,
      tar: manifest.tar.digest,
      bases: baseImages.map(each => each.digest),
    }),
    components: packages.map(({ component }) => component),
    wanted,
    bases: baseImages.map(baseImageComponent),
    problems,
  })
  const files = addFiles(bill, { packages, manifest, archives })
  return { bytes: Buffer.from(JSON.stringify(bill)), packages: packages.length, files, problems }
}

function assertPacked({ digests }: Inventory, manifest: PayloadManifest): void {
  for (const file of manifest.files) {
    const read = file.type === 'file' ? digests.get(file.path) : undefined
    if (file.type !== 'file' || read === undefined || read === file.digest) continue
    throw new ReleaseError(
      'PAYLOAD_CHANGED',
      `${file.path} was ${read} when it was read and is packed as ${file.digest}`,
      {
        details: { path: file.path, found: file.digest, expected: read },
      },
    )
  }
}

/** Name what is described by a UUID made of its digest. Source: RFC 9562 §5.8 (version 8: the bits are ours). */
function serialNumber(described: unknown): string {
  const hex = hexOf(digestOf(canonicalJson({ tool: toolVersion, described })))
  const variant = '89ab'[Number.parseInt(hex[16] ?? '0', 16) % 4]
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
