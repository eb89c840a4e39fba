import fs from 'node:fs'
import path from 'node:path'
import { readShippedFile, shippedPlace } from '../build/shipped-file.ts'
import { buildTree } from '../build/tree.ts'
import { ReleaseError } from '../core/error.ts'
import { debianVersion } from '../core/version.ts'
import type { DebControl } from '../envelope/deb-control.ts'
import { type DebChange, renderChangelog, renderCopyright } from '../envelope/deb-documents.ts'
import type { DebDescription } from '../envelope/deb-package.ts'
import type { DebUnit } from '../envelope/deb-units.ts'
import type { SmallEntry } from '../envelope/small-tar.ts'
import { linkProblem } from '../payload/entry.ts'
import type { RecipeComponent } from '../recipe/components.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { Recipe, RecipeDeb } from '../recipe/schema.ts'
import { defaultVariables } from '../recipe/variable.ts'
import { renderUnits } from '../service/unit.ts'
import { readChangelog } from '../source/changelog-entries.ts'

/** What a package is made from, besides what the recipe says of it. */
export interface DebSources {
  readonly recipe: Recipe
  readonly component: RecipeComponent
  readonly version: string
  readonly sourceDateEpoch: number
  /** Markdown: this release's part of the changelog. */
  readonly changes: string
  /** The built checkout. */
  readonly checkout: string
  /** The environment that units are made for. */
  readonly environment: string
}

/** How many versions a package's changelog tells of. */
const changelogEntries = 50

/**
 * Say what the package of a component is, from recipe and built checkout.
 *
 * Errors: RECIPE_PLACEHOLDER, DEB_FIELD, those of build/shipped-file.ts and build/tree.ts.
 */
export function describeDeb(deb: RecipeDeb, sources: DebSources): DebDescription {
  const { checkout } = sources
  const { preinst, postinst, prerm, postrm } = deb
  const control = debControl(deb, sources)
  return {
    control,
    scripts: { preinst, postinst, prerm, postrm },
    units: [...generatedUnits(deb, sources), ...deb.units.map(unit => shippedUnit(checkout, unit))],
    accounts: accounts(deb, sources),
    alternatives: deb.alternatives,
    triggers: deb.triggers,
    files: packageFiles(checkout, deb.files),
    conffiles: deb.conffiles,
    removedConffiles: deb.removedConffiles,
    manpages: deb.manpages.map(from => ({ name: path.basename(from), bytes: readShippedFile(checkout, from) })),
    changelog: renderChangelog({
      source: sources.recipe.name,
      maintainer: control.maintainer,
      entries: debChanges(deb, sources),
    }),
    copyright: copyright(deb, sources),
    overrides: deb.lintianOverrides,
  }
}

function debControl(deb: RecipeDeb, { recipe, component, version: releaseVersion }: DebSources): DebControl {
  const version = debianVersion(releaseVersion, deb)
  const relations = (list: readonly string[]) =>
    list.map(relation => fillPlaceholders(relation, { debianVersion: version }, component.name))
  const name = deb.package ?? component.name
  const text = (field: string, value: string | undefined) => (value === undefined ? {} : { [field]: value })
  return {
    package: name,
    version,
    architecture: deb.architecture,
    maintainer: recipe.maintainer,
    summary: component.summary,
    description: component.description ?? plainDescription(recipe, version),
    fields: {
      ...text('Source', name === recipe.name ? undefined : recipe.name),
      'Pre-Depends': relations(deb.preDepends),
      Depends: relations(deb.depends),
      Recommends: relations(deb.recommends),
      Suggests: relations(deb.suggests),
      Enhances: relations(deb.enhances),
      Conflicts: relations(deb.conflicts),
      Breaks: relations(deb.breaks),
      Replaces: relations(deb.replaces),
      Provides: relations(deb.provides),
      'Built-Using': relations(deb.builtUsing),
      'Static-Built-Using': relations(deb.staticBuiltUsing),
      Section: deb.section,
      Priority: deb.priority,
      ...text('Multi-Arch', deb.multiArch),
      ...text('Homepage', recipe.homepage),
      ...deb.fields,
    },
  }
}

/** A unit for each service, as the recipe has it for servers. */
function generatedUnits({ unit, user }: RecipeDeb, { recipe, version, environment }: DebSources): readonly DebUnit[] {
  if (unit === undefined) return []
  const units = renderUnits({
    application: recipe.name,
    summary: recipe.summary,
    services: recipe.node.services,
    root: `/${recipe.payload.root}`,
    variables: {
      ...defaultVariables(recipe.node.variables),
      ...recipe.environments[environment]?.variables,
      version,
      environment,
    },
    runtime: recipe.node.runtime.kind === 'node' ? '/usr/bin/node' : '',
    user: user?.name,
  })
  return units.map(({ name, text }) => ({ name, text, ...lifeOf(unit) }))
}

function shippedUnit(checkout: string, unit: RecipeDeb['units'][number]): DebUnit {
  const text = readShippedFile(checkout, unit.from).toString()
  return { name: path.basename(unit.from), text, ...lifeOf(unit) }
}

function lifeOf({ enable, start, restart }: NonNullable<RecipeDeb['unit']>): Omit<DebUnit, 'name' | 'text'> {
  return { enable, start, restart }
}

function accounts(deb: RecipeDeb, { checkout, recipe, component }: DebSources): DebDescription['accounts'] {
  const text = (from: string | undefined) =>
    from === undefined ? undefined : readShippedFile(checkout, from).toString()
  const { user } = deb
  return {
    user: user && {
      name: user.name,
      groups: user.groups,
      summary: component.summary,
      home: user.home ?? `var/lib/${recipe.name}`,
    },
    sysusers: text(deb.sysusers),
    tmpfiles: text(deb.tmpfiles),
  }
}

/** What lies outside of the payload, read into memory. Errors: PATH_UNSAFE (a link that leaves the file system's tree, or a name). */
function packageFiles(checkout: string, files: RecipeDeb['files']): readonly SmallEntry[] {
  if (files.length === 0) return []
  for (const { from } of files) shippedPlace(checkout, from)
  const { entries } = buildTree(checkout, { root: '.', entries: [...files], exclude: [] })
  return entries.map(entry => {
    const { path: place } = entry
    if (entry.type === 'directory') return { type: 'directory', path: place, mode: entry.mode }
    if (entry.type === 'file')
      return { type: 'file', path: place, mode: entry.mode, bytes: fs.readFileSync(entry.source) }
    const problem = linkProblem(place, entry.linkTarget)
    if (problem === undefined) return { type: 'symlink', path: place, linkTarget: entry.linkTarget }
    throw new ReleaseError('PATH_UNSAFE', `the link ${place} cannot be shipped: ${problem}`, {
      details: { path: place },
    })
  })
}

/** This release, then those that the repository's changelog tells of, each with the version that its package has or would have had. */
function debChanges(deb: RecipeDeb, sources: DebSources): readonly DebChange[] {
  const { recipe, checkout, version, sourceDateEpoch, changes } = sources
  const { changelog } = recipe.source
  const written =
    changelog === false || !fs.existsSync(path.join(checkout, changelog))
      ? []
      : readChangelog(readShippedFile(checkout, changelog).toString())
  const at = written.findIndex(entry => entry.version === version)
  const earlier = written.slice(at + 1).filter(entry => entry.timeSeconds <= sourceDateEpoch)
  return [{ version, timeSeconds: sourceDateEpoch, changes }, ...earlier]
    .slice(0, changelogEntries)
    .map(entry => ({ ...entry, version: debianVersion(entry.version, deb) }))
}

function copyright(deb: RecipeDeb, { recipe, checkout, sourceDateEpoch }: DebSources): string {
  if (deb.copyright !== undefined) return readShippedFile(checkout, deb.copyright).toString()
  const { name, licence, maintainer, homepage } = recipe
  return renderCopyright({ name, licence, maintainer, homepage, sourceDateEpoch })
}

/** Debian wants more than one line of every package (policy §3.4.2); who reads it may at least know where it comes from. */
function plainDescription({ name, summary, maintainer, homepage }: Recipe, version: string): string {
  const more =
    homepage === undefined
      ? `${maintainer} answers for it.`
      : `There is more at ${homepage}, and ${maintainer} answers for it.`
  return `It comes with ${name}, whose makers say in short: ${summary}.\nThis is ${version}. ${more}`
}
