import path from 'node:path'
import { known } from '../core/step.ts'
import { createDeb } from '../envelope/deb.ts'
import type { Artifact } from '../payload/release-record.ts'
import type { RecipeDeb } from '../recipe/schema.ts'
import { type CutState, mainEnvironment, type PackedComponent } from './cut-state.ts'
import { describeDeb } from './describe-deb.ts'

/** Make the Debian package of a component. Errors: DEB_FIELD, DEB_TOO_LARGE, RECIPE_PLACEHOLDER, those of build/shipped-file.ts. */
export async function makeDeb(state: CutState, packed: PackedComponent, deb: RecipeDeb): Promise<Artifact> {
  const prepared = known(state.prepared)
  const { component, manifest, storedManifest, tarball, md5sums } = packed
  const folder = known(state.output).partial
  const description = describeDeb(deb, {
    recipe: prepared.loaded.recipe,
    component,
    version: prepared.wanted.version,
    sourceDateEpoch: prepared.facts.head.timeSeconds,
    changes: known(state.sources).changes,
    checkout: known(state.workspace).buildCheckout,
    environment: mainEnvironment(prepared),
  })
  const { package: name, version, architecture } = description.control
  // An epoch is not part of a file's name: `dpkg-buildpackage` leaves it out, and a colon is no good in one.
  const fileVersion = version.replace(/^\d+:/, '')
  return createDeb({
    ...description,
    file: path.join(folder, `${name}_${fileVersion}_${architecture}.deb`),
    tarball: { file: path.join(folder, tarball.name), payloadOffset: tarball.payloadOffset },
    manifest,
    storedManifest,
    md5sums,
  })
}
