import path from 'node:path'
import { digestOf } from '../core/digest.ts'
import type { Tree } from '../core/tree.ts'
import { debianVersion } from '../core/version.ts'
import { createDeb } from '../envelope/deb.ts'
import type { DebControl } from '../envelope/deb-control.ts'
import { renderChangelog, renderCopyright } from '../envelope/deb-documents.ts'
import type { DebUnit } from '../envelope/deb-scripts.ts'
import { collectMd5sums } from '../envelope/md5sums.ts'
import { createImage, payloadManifestType } from '../envelope/oci.ts'
import { createTarball } from '../envelope/tarball.ts'
import { compressedManifest, type PayloadManifest } from '../payload/manifest.ts'
import { packPayload } from '../payload/pack.ts'
import type { Artifact } from '../payload/release-record.ts'
import { nodeRecipeJson } from '../recipe/node.ts'
import type { Recipe } from '../recipe/schema.ts'
import { renderUnits } from '../service/unit.ts'
import { writeFileAtomic } from '../sys/files.ts'
import { type CutState, known, mainEnvironment, type PackedPayload } from './cut-state.ts'

type DebRecipe = NonNullable<Recipe['artifacts']['deb']>
type OciRecipe = NonNullable<Recipe['artifacts']['oci']>

/** Pack a tree: tarball and manifest in one pass over its files. Post: both are on disk and among the artifacts. */
export async function packRelease(state: CutState, tree: Tree): Promise<PackedPayload> {
  const { loaded, facts, wanted } = known(state.prepared)
  const { tools } = state
  const { name, payload } = loaded.recipe
  const folder = known(state.output).partial
  const tarball = createTarball(path.join(folder, `${name}-${wanted.version}.tar.zst`))
  const md5sums = collectMd5sums()
  try {
    const manifest = await packPayload({
      tree,
      name,
      version: wanted.version,
      sourceDateEpoch: facts.head.timeSeconds,
      level: payload.level,
      recipe: nodeRecipeJson(loaded.raw),
      sinks: loaded.recipe.artifacts.deb === undefined ? [tarball] : [tarball, md5sums],
      onProgress: (done, total) =>
        tools.emit({ kind: 'progress', step: 'payload', what: 'compressed', unit: 'bytes', done, total }),
      signal: tools.signal,
    })
    const artifact = tarball.finish(manifest)
    const storedManifest = compressedManifest(manifest)
    state.artifacts.push(artifact, writeManifest(folder, storedManifest, manifest))
    return { manifest, storedManifest, tarball: artifact, md5sums: md5sums.sums }
  } catch (caught) {
    tarball.discard()
    throw caught
  }
}

/** Make the Debian package of a payload. Errors: DEB_FIELD, DEB_TOO_LARGE, RECIPE_PLACEHOLDER. */
export async function makeDeb(state: CutState, deb: DebRecipe): Promise<Artifact> {
  const { loaded, facts, wanted } = known(state.prepared)
  const { manifest, storedManifest, tarball, md5sums } = known(state.packed)
  const { recipe } = loaded
  const folder = known(state.output).partial
  const control = debControl(recipe, deb, wanted.version)
  const { package: name, version, architecture } = control
  const sourceDateEpoch = facts.head.timeSeconds
  return createDeb({
    file: path.join(folder, `${name}_${version}_${architecture}.deb`),
    tarball: { file: path.join(folder, tarball.name), payloadOffset: tarball.payloadOffset },
    manifest,
    storedManifest,
    control,
    conffiles: deb.conffiles,
    scripts: debScripts(deb),
    units: deb.unit === undefined ? [] : debUnits(state, deb.unit.enable),
    changelog: renderChangelog({
      package: name,
      version,
      maintainer: recipe.maintainer,
      sourceDateEpoch,
      changes: known(state.sources).changes,
    }),
    copyright: renderCopyright({
      name: recipe.name,
      licence: recipe.licence,
      maintainer: recipe.maintainer,
      sourceDateEpoch,
      ...(recipe.homepage === undefined ? {} : { homepage: recipe.homepage }),
    }),
    md5sums,
  })
}

/** Make the image of a payload. */
export function makeImage(state: CutState, oci: OciRecipe): Artifact {
  const { loaded, facts, wanted } = known(state.prepared)
  const { manifest, storedManifest, tarball } = known(state.packed)
  const { recipe } = loaded
  const folder = known(state.output).partial
  const { workingDirectory, platforms, ...config } = oci
  const annotation = (key: string, value: string | undefined) =>
    value === undefined ? [] : [[`org.opencontainers.image.${key}`, value] as const]
  return createImage({
    folder: path.join(folder, `${recipe.name}-${wanted.version}.oci`),
    tarball: { file: path.join(folder, tarball.name), artifact: tarball },
    manifest,
    storedManifest,
    platforms,
    config: { ...config, ...(workingDirectory === undefined ? {} : { workingDirectory }) },
    annotations: Object.fromEntries([
      ...annotation('title', recipe.name),
      ...annotation('description', recipe.summary),
      ...annotation('licenses', recipe.licence),
      ...annotation('revision', facts.head.commit),
      ...annotation('url', recipe.homepage),
    ]),
  })
}

function writeManifest(folder: string, bytes: Buffer, { name, version }: PayloadManifest): Artifact {
  const file = `${name}-${version}.manifest.json.zst`
  writeFileAtomic(path.join(folder, file), bytes, { durable: false })
  const { byteLength: sizeBytes } = bytes
  return { kind: 'manifest', name: file, sizeBytes, digest: digestOf(bytes), mediaType: payloadManifestType }
}

function debControl(recipe: Recipe, deb: DebRecipe, version: string): DebControl {
  return {
    package: deb.package ?? recipe.name,
    version: debianVersion(version, { revision: deb.revision }),
    architecture: deb.architecture,
    maintainer: recipe.maintainer,
    depends: deb.depends,
    recommends: deb.recommends,
    section: deb.section,
    priority: deb.priority,
    summary: recipe.summary,
    ...(recipe.homepage === undefined ? {} : { homepage: recipe.homepage }),
    ...(recipe.description === undefined ? {} : { description: recipe.description }),
  }
}

function debScripts({ preinst, postinst, prerm, postrm }: DebRecipe) {
  const scripts = Object.entries({ preinst, postinst, prerm, postrm })
  return Object.fromEntries(scripts.flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])))
}

function debUnits(state: CutState, enable: boolean): readonly DebUnit[] {
  const prepared = known(state.prepared)
  const { recipe } = prepared.loaded
  const environment = mainEnvironment(prepared)
  const units = renderUnits({
    application: recipe.name,
    summary: recipe.summary,
    services: recipe.node.services,
    root: `/${recipe.payload.root}`,
    variables: {
      ...known(recipe.environments[environment]).variables,
      version: prepared.wanted.version,
      environment,
    },
    runtime: recipe.node.runtime.kind === 'node' ? '/usr/bin/node' : '',
  })
  return units.map(unit => ({ ...unit, enable }))
}
