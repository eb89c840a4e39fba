import fs from 'node:fs'
import path from 'node:path'
import type { Json } from '../../src/core/canonical-json.ts'
import { digestOf } from '../../src/core/digest.ts'
import type { Tree } from '../../src/core/tree.ts'
import { createTarball } from '../../src/envelope/tarball.ts'
import { compressedManifest } from '../../src/payload/manifest.ts'
import { packPayload } from '../../src/payload/pack.ts'
import { type ReleaseRecord, recordBytes } from '../../src/payload/release-record.ts'
import { testEpoch } from './payload.ts'

/** A release to be made of a tree that is there. */
export interface TreeRelease {
  readonly name: string
  readonly version: string
  readonly tree: Tree
  /** The part of the recipe that nodes get. */
  readonly recipe: Json
  /** The tag that marks it and the tree that it marks; absent: a snapshot, chosen by its name only. */
  readonly tagged?: { readonly tag: string; readonly tree: string }
}

/** Make a release in a folder of its version below `dist`, as `cut` leaves it: a tarball, a manifest and the record. */
export async function cutTree(dist: string, release: TreeRelease): Promise<string> {
  const { name, version, tree, recipe, tagged } = release
  const folder = path.join(dist, version)
  fs.mkdirSync(folder, { recursive: true })
  const tarballName = `${name}-${version}.tar.zst`
  const tarball = createTarball(path.join(folder, tarballName), 'zstd')
  const { manifest } = await packPayload({
    tree,
    name,
    version,
    sourceDateEpoch: testEpoch,
    codec: 'zstd',
    level: 3,
    recipe,
    sinks: [tarball],
  })
  const manifestName = `${name}-${version}.manifest.zst`
  const manifestFile = compressedManifest(manifest)
  fs.writeFileSync(path.join(folder, manifestName), manifestFile)
  const record: ReleaseRecord = {
    schema: 1,
    name,
    version,
    summary: `A ${name}`,
    licence: 'Apache-2.0',
    maintainer: 'Ada <ada@example.org>',
    commit: digestOf(version).slice(7, 47),
    tree: digestOf(`tree of ${version}`).slice(7, 47),
    ...tagged,
    sourceDateEpoch: testEpoch,
    toolVersion: '0.1.0',
    recipeDigest: digestOf('recipe'),
    changes: '',
    components: [
      {
        name,
        artifacts: [
          tarball.finish(manifest),
          {
            kind: 'manifest',
            name: manifestName,
            mediaType: 'application/zstd',
            sizeBytes: manifestFile.byteLength,
            digest: digestOf(manifestFile),
          },
        ],
      },
    ],
  }
  fs.writeFileSync(path.join(folder, 'release.json'), recordBytes(record))
  return folder
}
