import path from 'node:path'
import { known } from '../core/step.ts'
import { createImage } from '../envelope/oci.ts'
import type { BaseImage } from '../envelope/oci-base.ts'
import type { Artifact } from '../payload/release-record.ts'
import { componentsOf } from '../recipe/components.ts'
import type { LoadedRecipe } from '../recipe/load.ts'
import type { RecipeImage } from '../recipe/schema.ts'
import { assertLocked, openLockedBase } from './base-image.ts'
import type { CutState, PackedComponent } from './cut-state.ts'

/** Make the image of a component. Errors: those of the base and of {@link createImage}. */
export async function makeImage(state: CutState, packed: PackedComponent, oci: RecipeImage): Promise<Artifact> {
  const { component, manifest, storedManifest, tarball } = packed
  const folder = known(state.output).partial
  const { entrypoint, cmd, user, workingDirectory, environment, ports, volumes, labels, stopSignal } = oci
  const base = await openBase(state, component.name, oci)
  if (base !== undefined) packed.base = base
  return createImage({
    folder: path.join(folder, `${component.name}-${manifest.version}.oci`),
    tarball: { file: path.join(folder, tarball.name), artifact: tarball },
    manifest,
    storedManifest,
    platforms: oci.platforms,
    ...(base === undefined ? {} : { base }),
    config: { entrypoint, cmd, user, workingDirectory, environment, ports, volumes, labels, stopSignal },
    annotations: annotationsOf(state, packed, oci),
  })
}

/** Make sure that what images are put on is fixed, before anything is built. Errors: BASE_UNLOCKED, BASE_LOCK_INVALID. */
export function assertBasesLocked({ recipe, file }: LoadedRecipe): void {
  for (const { oci } of componentsOf(recipe)) if (oci !== undefined) assertLocked(oci, file)
}

function openBase(state: CutState, name: string, image: RecipeImage): Promise<BaseImage | undefined> {
  const { root, temporary } = known(state.workspace)
  const recipeFile = known(state.prepared).loaded.file
  // A release that is built again has its recipe from a checkout, beside which there is nothing.
  const folder = recipeFile.startsWith(`${root}/`) ? state.places.root : path.dirname(recipeFile)
  const places = { recipeFile, folder, temporary: path.join(temporary, `base-${name}`) }
  const { environment } = state.options
  return openLockedBase({ environment, plainHttp: false, image, ...places, step: 'envelopes' }, state.tools)
}

/** Source: OCI image-spec annotations.md §Pre-Defined Annotation Keys. */
function annotationsOf(state: CutState, { component }: PackedComponent, oci: RecipeImage): Record<string, string> {
  const { loaded, facts } = known(state.prepared)
  const { licence, maintainer, homepage, source } = loaded.recipe
  const given = {
    title: component.name,
    description: component.summary,
    licenses: licence,
    authors: maintainer,
    url: homepage,
    source: source.repository,
  }
  return {
    ...Object.fromEntries(
      Object.entries(given).flatMap(([key, value]) =>
        value === undefined ? [] : [[`org.opencontainers.image.${key}`, value]],
      ),
    ),
    ...oci.annotations,
    'org.opencontainers.image.revision': facts.head.commit,
  }
}
