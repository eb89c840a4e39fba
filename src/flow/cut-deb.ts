import path from 'node:path'
import { debianVersion } from '../core/version.ts'
import { createDeb } from '../envelope/deb.ts'
import type { DebControl } from '../envelope/deb-control.ts'
import { renderChangelog, renderCopyright } from '../envelope/deb-documents.ts'
import type { DebUnit } from '../envelope/deb-scripts.ts'
import type { Artifact } from '../payload/release-record.ts'
import type { RecipeComponent } from '../recipe/components.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { Recipe, RecipeDeb } from '../recipe/schema.ts'
import { renderUnits } from '../service/unit.ts'
import { type CutState, known, mainEnvironment, type PackedComponent } from './cut-state.ts'

/** Make the Debian package of a component. Errors: DEB_FIELD, DEB_TOO_LARGE, RECIPE_PLACEHOLDER. */
export async function makeDeb(state: CutState, packed: PackedComponent, deb: RecipeDeb): Promise<Artifact> {
  const { loaded, facts, wanted } = known(state.prepared)
  const { component, manifest, storedManifest, tarball, md5sums } = packed
  const { recipe } = loaded
  const folder = known(state.output).partial
  const control = debControl(recipe, component, { deb, releaseVersion: wanted.version })
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

function debControl(
  recipe: Recipe,
  component: RecipeComponent,
  { deb, releaseVersion }: { readonly deb: RecipeDeb; readonly releaseVersion: string },
): DebControl {
  const version = debianVersion(releaseVersion, { revision: deb.revision })
  const relations = (list: readonly string[]) =>
    list.map(relation => fillPlaceholders(relation, { debianVersion: version }, component.name))
  return {
    package: deb.package ?? component.name,
    version,
    architecture: deb.architecture,
    maintainer: recipe.maintainer,
    depends: relations(deb.depends),
    recommends: relations(deb.recommends),
    section: deb.section,
    priority: deb.priority,
    summary: component.summary,
    ...(recipe.homepage === undefined ? {} : { homepage: recipe.homepage }),
    ...(component.description === undefined ? {} : { description: component.description }),
  }
}

function debScripts({ preinst, postinst, prerm, postrm }: RecipeDeb) {
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
