import fs from 'node:fs'
import path from 'node:path'
import { buildTree } from '../../../src/build/tree.ts'
import { createDeb } from '../../../src/envelope/deb.ts'
import { renderChangelog, renderCopyright } from '../../../src/envelope/deb-documents.ts'
import { createImage } from '../../../src/envelope/oci.ts'
import { proveEnvelope } from '../../../src/envelope/prove.ts'
import { createTarball } from '../../../src/envelope/tarball.ts'
import { FillThreads } from '../../../src/payload/fill-threads.ts'
import { compressedManifest } from '../../../src/payload/manifest.ts'
import { packPayload } from '../../../src/payload/pack.ts'

/** When everything in the envelopes was made: 2026-01-01. */
const sourceDateEpoch = 1_767_225_600
const identity = {
  name: 'bench',
  version: '1.0.0',
  licence: 'Apache-2.0',
  maintainer: 'Bench <bench@example.org>',
} as const

export interface EnvelopeOptions {
  readonly folder: string
  readonly output: string
  readonly cache: string | undefined
  readonly level: number
  readonly codec: 'zstd' | 'gzip'
  readonly prove: boolean
}

/** When a part of the work was over, counted from the start of the process. */
export interface Lap {
  readonly what: string
  readonly atMs: number
}

/** Make tarball, package, image, manifest and SBOM of a folder, as the steps of `release cut` do. */
export async function makeEnvelopes(options: EnvelopeOptions): Promise<readonly Lap[]> {
  const laps: Lap[] = []
  const lap = (what: string) => laps.push({ what, atMs: performance.now() })
  lap('started')
  fs.mkdirSync(options.output, { recursive: true })
  const at = (name: string) => path.join(options.output, name)
  const threads = new FillThreads()
  const shipped = { root: 'opt/bench', entries: [{ from: '.' }], exclude: [] }
  const tree = buildTree(path.resolve(options.folder), shipped, sizeBytes => threads.expect(sizeBytes))
  lap('tree read')
  const file = at(`bench-1.0.0.tar.${options.codec === 'zstd' ? 'zst' : 'gz'}`)
  const tarball = createTarball(file, options.codec)
  const packing = packPayload({
    tree,
    name: identity.name,
    version: identity.version,
    sourceDateEpoch,
    codec: options.codec,
    level: options.level,
    recipe: {},
    sinks: [tarball],
    withMd5: true,
    cache: options.cache === undefined ? undefined : { folder: options.cache },
    threads,
  })
  // While threads read and compress, this one finds out what the tree is made of.
  const { createSbom, takeInventory } = await import('../../../src/evidence/sbom.ts')
  lap('SBOM library loaded')
  const inventory = await takeInventory({ tree, checkoutFolder: options.folder })
  lap('packages found')
  const { manifest, md5sums } = await packing
  const closing = threads.close()
  const artifact = tarball.finish(manifest)
  lap('packed')
  const storedManifest = compressedManifest(manifest)
  fs.writeFileSync(at('bench-1.0.0.manifest.json.zst'), storedManifest)
  lap('manifest written')
  const packaging = createDeb({
    file: at('bench_1.0.0-1_all.deb'),
    tarball: { file, payloadOffset: artifact.payloadOffset },
    manifest,
    storedManifest,
    md5sums,
    control: {
      package: identity.name,
      version: '1.0.0-1',
      architecture: 'all',
      maintainer: identity.maintainer,
      summary: 'benchmark payload',
      description: 'A tree that is packed.',
      fields: {},
    },
    scripts: {},
    units: [],
    accounts: {},
    alternatives: [],
    triggers: [],
    files: [],
    conffiles: [],
    removedConffiles: [],
    manpages: [],
    overrides: [],
    changelog: renderChangelog({
      source: identity.name,
      maintainer: identity.maintainer,
      entries: [{ version: '1.0.0-1', timeSeconds: sourceDateEpoch, changes: '- One' }],
    }),
    copyright: renderCopyright({ ...identity, sourceDateEpoch }),
  })
  createImage({
    folder: at('bench-1.0.0.oci'),
    tarball: { file, artifact },
    manifest,
    storedManifest,
    platforms: ['linux/amd64'],
    config: { environment: {}, ports: [], volumes: [], labels: {} },
    annotations: {},
  })
  lap('image made')
  const sbom = createSbom({ inventory, manifest, application: identity })
  fs.writeFileSync(at('bench-1.0.0.cdx.json'), sbom.bytes)
  lap('SBOM written')
  await packaging
  lap('package made')
  await closing
  if (options.prove) {
    await proveEnvelope(file, manifest)
    lap('tarball proven')
    await proveEnvelope(at('bench_1.0.0-1_all.deb'), manifest)
    lap('package proven')
  }
  return laps
}
