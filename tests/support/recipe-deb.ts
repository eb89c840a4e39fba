import path from 'node:path'
import { buildTree } from '../../src/build/tree.ts'
import { createDeb, type DebArtifact } from '../../src/envelope/deb.ts'
import { createTarball } from '../../src/envelope/tarball.ts'
import { describeDeb } from '../../src/flow/describe-deb.ts'
import { compressedManifest, type PayloadManifest } from '../../src/payload/manifest.ts'
import { packPayload } from '../../src/payload/pack.ts'
import { componentsOf } from '../../src/recipe/components.ts'
import type { Recipe } from '../../src/recipe/schema.ts'
import { testEpoch } from './payload.ts'

/** A package as `cut` makes it, without cutting: no repository, no tests, no rehearsal. */
export interface MadeDeb {
  readonly file: string
  readonly artifact: DebArtifact
  readonly manifest: PayloadManifest
}

export interface RecipeDebOptions {
  readonly recipe: Recipe
  /** A checkout after the build. */
  readonly checkout: string
  readonly version: string
  readonly folder: string
  readonly changes?: string
}

/** Make the Debian package of a recipe's application. */
export async function debOfRecipe(options: RecipeDebOptions): Promise<MadeDeb> {
  const { recipe, checkout, version, folder } = options
  const component = componentsOf(recipe)[0]!
  const { codec, level } = component.payload
  const tarball = createTarball(path.join(folder, `${component.name}-${version}.tar`), codec)
  const { manifest, md5sums } = await packPayload({
    tree: buildTree(checkout, component.payload),
    name: component.name,
    version,
    sourceDateEpoch: testEpoch,
    codec,
    level,
    recipe: null,
    sinks: [tarball],
    withMd5: true,
  })
  const { name, payloadOffset } = tarball.finish(manifest)
  const description = describeDeb(component.deb!, {
    recipe,
    component,
    version,
    sourceDateEpoch: testEpoch,
    changes: options.changes ?? '- Something new\n',
    checkout,
    environment: Object.keys(recipe.environments)[0]!,
  })
  const { control } = description
  const file = path.join(
    folder,
    `${control.package}_${control.version.replace(/^\d+:/, '')}_${control.architecture}.deb`,
  )
  const artifact = await createDeb({
    ...description,
    file,
    tarball: { file: path.join(folder, name), payloadOffset },
    manifest,
    storedManifest: compressedManifest(manifest),
    md5sums,
  })
  return { file, artifact, manifest }
}
