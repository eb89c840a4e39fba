import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildTree } from '../../src/build/tree.ts'
import type { Json } from '../../src/core/canonical-json.ts'
import { digestOf } from '../../src/core/digest.ts'
import { createTarball } from '../../src/envelope/tarball.ts'
import { createDelta, type DeltaSide } from '../../src/payload/delta/create.ts'
import { deltaFileName } from '../../src/payload/delta/format.ts'
import { compressedManifest } from '../../src/payload/manifest.ts'
import { packPayload } from '../../src/payload/pack.ts'
import { type Artifact, recordBytes } from '../../src/payload/release-record.ts'
import { openSegmentSource } from '../../src/payload/source.ts'
import { type MadeRepository, makeRepository } from './made-repository.ts'

/** The application that folders are made releases of. */
export const application = 'bench'
/** Of the two releases, the one before and the one after. */
export const [oldVersion, newVersion] = ['1.0.0', '1.1.0'] as const

/** A repository with two releases of a folder, the later one with a delta pack as a rule. */
export interface ReleasePair {
  readonly repository: MadeRepository
  /** Of the later release: the tarball, and the delta pack from the one before, 0 without one. Units: bytes. */
  readonly tarballBytes: number
  readonly deltaBytes: number
}

/** Make releases of two folders and publish them below `base`. `node` is the recipe's part for servers. */
export async function publishPair(
  base: string,
  folders: { readonly old: string; readonly next: string },
  node: { readonly [key: string]: Json },
  { withDelta = true }: { readonly withDelta?: boolean } = {},
): Promise<ReleasePair> {
  const repository = await makeRepository(base, { applications: [application] })
  const old = await pack(repository.distFolder, {
    folder: folders.old,
    version: oldVersion,
    epoch: 1_767_225_600,
    node,
  })
  writeRecord(repository.distFolder, oldVersion, old.artifacts)
  await repository.upload(oldVersion)
  const next = await pack(repository.distFolder, {
    folder: folders.next,
    version: newVersion,
    epoch: 1_767_312_000,
    node,
  })
  const file = path.join(repository.distFolder, newVersion, deltaFileName(application, newVersion, oldVersion))
  const deltas = withDelta ? [await createDelta({ old: old.side, new: next.side, file })] : []
  writeRecord(repository.distFolder, newVersion, [...next.artifacts, ...deltas])
  await repository.upload(newVersion)
  return { repository, tarballBytes: next.artifacts[0].sizeBytes, deltaBytes: deltas[0]?.sizeBytes ?? 0 }
}

interface Packed {
  readonly side: DeltaSide
  readonly artifacts: readonly [Artifact, Artifact]
}

async function pack(
  dist: string,
  release: {
    readonly folder: string
    readonly version: string
    readonly epoch: number
    readonly node: { readonly [key: string]: Json }
  },
): Promise<Packed> {
  const { version, node } = release
  const at = (name: string) => path.join(dist, version, name)
  fs.mkdirSync(path.join(dist, version), { recursive: true })
  const tarball = createTarball(at(`${application}-${version}.tar.zst`), 'zstd')
  const { manifest } = await packPayload({
    tree: buildTree(release.folder, { root: `opt/${application}`, entries: [{ from: '.' }], exclude: [] }),
    name: application,
    version,
    sourceDateEpoch: release.epoch,
    codec: 'zstd',
    level: 3,
    recipe: { schema: 1, name: application, node, environments: { production: {} } },
    sinks: [tarball],
  })
  const finished = tarball.finish(manifest)
  const bytes = compressedManifest(manifest)
  const name = `${application}-${version}.manifest.zst`
  fs.writeFileSync(at(name), bytes)
  const url = pathToFileURL(at(finished.name)).href
  const source = openSegmentSource({ url, payloadOffset: finished.payloadOffset, manifest })
  const stored = { sizeBytes: bytes.byteLength, digest: digestOf(bytes) }
  return {
    side: { manifest, source },
    artifacts: [finished, { kind: 'manifest', name, mediaType: 'application/zstd', ...stored }],
  }
}

function writeRecord(dist: string, version: string, artifacts: readonly Artifact[]): void {
  const record = recordBytes({
    schema: 1,
    name: application,
    version,
    summary: 'A folder of files',
    licence: 'Apache-2.0',
    maintainer: 'Ada <ada@example.org>',
    commit: digestOf(version).slice(7, 47),
    tree: digestOf(`tree of ${version}`).slice(7, 47),
    sourceDateEpoch: 1_767_225_600,
    toolVersion: '0.1.0',
    recipeDigest: digestOf('recipe'),
    changes: '',
    components: [{ name: application, artifacts }],
  })
  fs.writeFileSync(path.join(dist, version, 'release.json'), record)
}
