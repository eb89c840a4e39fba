import path from 'node:path'
import { createImage } from '../envelope/oci.ts'
import type { Artifact } from '../payload/release-record.ts'
import type { RecipeImage } from '../recipe/schema.ts'
import { type CutState, known, type PackedComponent } from './cut-state.ts'

/** Make the image of a component. */
export function makeImage(state: CutState, packed: PackedComponent, oci: RecipeImage): Artifact {
  const { loaded, facts, wanted } = known(state.prepared)
  const { component, manifest, storedManifest, tarball } = packed
  const { recipe } = loaded
  const folder = known(state.output).partial
  const { workingDirectory, platforms, ...config } = oci
  const annotation = (key: string, value: string | undefined) =>
    value === undefined ? [] : [[`org.opencontainers.image.${key}`, value] as const]
  return createImage({
    folder: path.join(folder, `${component.name}-${wanted.version}.oci`),
    tarball: { file: path.join(folder, tarball.name), artifact: tarball },
    manifest,
    storedManifest,
    platforms,
    config: { ...config, ...(workingDirectory === undefined ? {} : { workingDirectory }) },
    annotations: Object.fromEntries([
      ...annotation('title', component.name),
      ...annotation('description', component.summary),
      ...annotation('licenses', recipe.licence),
      ...annotation('revision', facts.head.commit),
      ...annotation('url', recipe.homepage),
    ]),
  })
}
