import path from 'node:path'
import { Builders, Factories } from '@cyclonedx/cyclonedx-library/Contrib/FromNodePackageJson'
import { ComponentType } from '@cyclonedx/cyclonedx-library/Enums'
import type { Component } from '@cyclonedx/cyclonedx-library/Models'
import type { Findings, FoundPackage } from './found.ts'
import { licenceFactory } from './licence.ts'
import type { NpmLocks } from './npm-lock.ts'
import { type PayloadFile, type PayloadView, parseObject } from './payload-view.ts'
import { packageUrl } from './purl.ts'
import { Unreadable } from './unreadable.ts'

type PackageJson = Readonly<Record<string, unknown>>

/** A folder with a package.json, and what that says. */
interface Project {
  readonly folder: string
  readonly json: PackageJson
  /** Undefined for the application's own. */
  readonly component: Component | undefined
}

const builder = new Builders.ComponentBuilder(new Factories.ExternalReferenceFactory(), licenceFactory)
/** A folder right below node_modules, with or without a scope: what Node resolves by name. */
const installed = /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/.@][^/]*$/
const dependencyFields = ['dependencies', 'optionalDependencies', 'peerDependencies'] as const

/**
 * Find the npm packages of a payload: each installed copy once, with its dependencies as Node would resolve them from there.
 *
 * A package.json outside of node_modules is the application's, or that of a workspace when a link in node_modules leads to it; one
 * deeper inside of a package belongs to that package.
 */
export function findNpmPackages(view: PayloadView, locks: NpmLocks): Findings {
  const linked = new Set(
    view
      .links()
      .filter(link => installed.test(link.path))
      .map(link => link.target),
  )
  const projects = view
    .files('package.json')
    .filter(file => path.posix.basename(file.path) === 'package.json')
    .flatMap(file => view.attempt(file.path, () => readProject(file, { view, locks, linked })) ?? [])
  const byFolder = new Map(projects.map(project => [project.folder, project.component]))
  const resolve = (project: Project) =>
    dependencyNames(project.json).flatMap(name => resolveAsNode(project.folder, name, { view, byFolder }) ?? [])
  const packages: FoundPackage[] = []
  const wanted: Component[] = []
  for (const project of projects) {
    const { folder, component } = project
    if (component === undefined) {
      wanted.push(...resolve(project))
      continue
    }
    for (const dependency of resolve(project)) component.dependencies.add(dependency.bomRef)
    packages.push({ component, folder })
  }
  return { packages, wanted }
}

function readProject(
  file: PayloadFile,
  { view, locks, linked }: { view: PayloadView; locks: NpmLocks; linked: ReadonlySet<string> },
): Project | undefined {
  const folder = file.path === 'package.json' ? '' : path.posix.dirname(file.path)
  const isPackage = installed.test(folder) || linked.has(folder)
  if (!isPackage && /(?:^|\/)node_modules(?:\/|$)/.test(folder)) return undefined
  const text = view.text(file)
  if (text === undefined) return undefined
  const json = parseObject(text)
  return { folder, json, component: isPackage ? makeComponent(json, file, locks) : undefined }
}

function makeComponent(json: PackageJson, file: PayloadFile, locks: NpmLocks): Component {
  const folder = path.posix.dirname(file.path)
  const component = builder.makeComponent(withLicenceText(json), ComponentType.Library)
  if (component === undefined) throw new Unreadable('names no package')
  const { version } = component
  component.bomRef.value = folder
  component.purl = packageUrl({ type: 'npm', namespace: component.group, name: component.name, version })
  const digest = locks.digest(file, version)
  if (digest !== undefined) component.hashes.set(...digest)
  return component
}

/** The form that packages of before 2014 have, `{ type, url }`, as the builder reads it. */
function withLicenceText(json: PackageJson): PackageJson {
  const { license } = json
  const type = typeof license === 'object' && license !== null && 'type' in license ? license.type : license
  return typeof type === 'string' && type.trim() !== '' ? { ...json, license: type.trim() } : { ...json, license: null }
}

function dependencyNames(json: PackageJson): readonly string[] {
  const names = dependencyFields.flatMap(field => {
    const value = json[field]
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : []
  })
  return [...new Set(names)].sort()
}

/** Source: Node's documentation, Modules: loading from node_modules folders. */
function resolveAsNode(
  from: string,
  name: string,
  { view, byFolder }: { view: PayloadView; byFolder: ReadonlyMap<string, Component | undefined> },
): Component | undefined {
  for (let folder = from; ; folder = path.posix.dirname(folder)) {
    const isTop = folder === '' || folder === '.'
    if (path.posix.basename(folder) !== 'node_modules') {
      const found = byFolder.get(view.real(`${isTop ? '' : `${folder}/`}node_modules/${name}`))
      if (found !== undefined) return found
    }
    if (isTop) return undefined
  }
}
