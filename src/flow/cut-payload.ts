import path from 'node:path'
import { buildTree } from '../build/tree.ts'
import { digestOf } from '../core/digest.ts'
import { done, type Outcome } from '../core/outcome.ts'
import { formatBytes } from '../core/quantity.ts'
import { known } from '../core/step.ts'
import type { Tree } from '../core/tree.ts'
import { payloadManifestType } from '../envelope/oci.ts'
import { createTarball } from '../envelope/tarball.ts'
import { FillThreads } from '../payload/fill-threads.ts'
import { compressedManifest, type PayloadManifest } from '../payload/manifest.ts'
import { packPayload } from '../payload/pack.ts'
import type { Artifact } from '../payload/release-record.ts'
import { componentsOf, type RecipeComponent } from '../recipe/components.ts'
import { nodeRecipeJson } from '../recipe/node.ts'
import { writeFileAtomic } from '../sys/files.ts'
import type { CutState, PackedComponent } from './cut-state.ts'

/** Collect what is shipped and pack it, component by component: tarball and manifest of each. */
export async function packPayloads(state: CutState): Promise<Outcome<string>> {
  const threads = new FillThreads()
  const packed: PackedComponent[] = []
  try {
    for (const { component, tree } of shippedTrees(state, threads)) {
      packed.push(await packComponent(state, { component, tree, threads }))
    }
  } finally {
    await threads.close()
  }
  state.packed = packed
  packed[0]!.artifacts.unshift(...state.early)
  return done(packed.map(packedText).join('; '))
}

/** Collect what every component ships, while threads are started if that comes to much. */
function shippedTrees(state: CutState, threads: FillThreads): readonly ShippedTree[] {
  const { buildCheckout } = known(state.workspace)
  return componentsOf(known(state.prepared).loaded.recipe).map(component => ({
    component,
    tree: buildTree(buildCheckout, component.payload, sizeBytes => threads.expect(sizeBytes)),
  }))
}

interface ShippedTree {
  readonly component: RecipeComponent
  readonly tree: Tree
}

function packedText({ component, manifest, tarball }: PackedComponent): string {
  const sizes = `${formatBytes(manifest.tar.sizeBytes)} → ${formatBytes(tarball.sizeBytes)}`
  const text = `${manifest.files.length} entries, ${sizes}`
  return component.isApplication ? text : `${component.name}: ${text}`
}

/** Pack a tree: tarball and manifest in one pass over its files. Post: both are on disk and among the artifacts. */
async function packComponent(
  state: CutState,
  { component, tree, threads }: ShippedTree & { readonly threads: FillThreads },
): Promise<PackedComponent> {
  const { loaded, facts, wanted } = known(state.prepared)
  const { name, payload } = component
  const folder = known(state.output).partial
  const extension = payload.codec === 'zstd' ? 'zst' : 'gz'
  const tarball = createTarball(path.join(folder, `${name}-${wanted.version}.tar.${extension}`), payload.codec)
  try {
    const { manifest, md5sums } = await packPayload({
      tree,
      name,
      version: wanted.version,
      sourceDateEpoch: facts.head.timeSeconds,
      codec: payload.codec,
      level: payload.level,
      // Only the application is installed into a prefix.
      recipe: component.isApplication ? nodeRecipeJson(loaded.raw) : null,
      sinks: [tarball],
      cache: state.segmentCache,
      threads,
      withMd5: component.deb !== undefined,
      onProgress: (done, total) =>
        state.tools.emit({ kind: 'progress', step: 'payload', what: name, unit: 'bytes', done, total }),
      signal: state.tools.signal,
    })
    const artifact = tarball.finish(manifest)
    const storedManifest = compressedManifest(manifest)
    const artifacts = [artifact, writeManifest(folder, storedManifest, manifest)]
    return { component, tree, artifacts, manifest, storedManifest, tarball: artifact, md5sums }
  } catch (caught) {
    tarball.discard()
    throw caught
  }
}

function writeManifest(folder: string, bytes: Buffer, { name, version }: PayloadManifest): Artifact {
  const file = `${name}-${version}.manifest.json.zst`
  writeFileAtomic(path.join(folder, file), bytes, { durable: false })
  const { byteLength: sizeBytes } = bytes
  return { kind: 'manifest', name: file, sizeBytes, digest: digestOf(bytes), mediaType: payloadManifestType }
}
