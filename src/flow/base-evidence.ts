import type { BaseImage, BasePlatform, ImageLayer } from '../envelope/oci-base.ts'
import { type LayerEntry, readLayer, stackLayers } from '../envelope/oci-layer.ts'
import type { BaseImage as DescribedBase } from '../evidence/base-image.ts'

const statusFile = 'var/lib/dpkg/status'
const statusFolder = 'var/lib/dpkg/status.d/'
/** The second is what the first is a link to. */
const osReleaseFiles = ['etc/os-release', 'usr/lib/os-release'] as const

/**
 * Read what the layers of a base say of its distribution and its Debian packages, one platform after the other.
 *
 * Errors: IMAGE_INVALID, FILE_IO.
 */
export async function describeBase(base: BaseImage): Promise<readonly DescribedBase[]> {
  const described: DescribedBase[] = []
  for (const platform of base.platforms) described.push(await describePlatform(base, platform))
  return described
}

async function describePlatform(base: BaseImage, { name, digest, layers }: BasePlatform): Promise<DescribedBase> {
  const files = await readFiles(layers)
  const texts = (wanted: (path: string) => boolean) =>
    [...files]
      .filter(([path]) => wanted(path))
      .flatMap(([, entry]) => (entry.kind === 'file' ? [`${entry.bytes}`] : []))
  return {
    reference: base.publicName ?? base.name,
    digest,
    platform: name,
    dpkgStatus: [...texts(path => path === statusFile), ...texts(path => path.startsWith(statusFolder))].join('\n\n'),
    osRelease: osReleaseFiles.flatMap(file => texts(path => path === file))[0],
  }
}

async function readFiles(layers: readonly ImageLayer[]): Promise<ReadonlyMap<string, LayerEntry>> {
  const read = []
  for (const layer of layers) read.push(await readLayer(layer, isWanted))
  return stackLayers(read)
}

/** In images without dpkg each package has a file of its own, and one with the digests of its files beside it. */
function isWanted(path: string): boolean {
  if (path === statusFile || osReleaseFiles.some(file => file === path)) return true
  return path.startsWith(statusFolder) && !path.endsWith('.md5sums')
}
