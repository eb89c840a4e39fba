import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import type { Account } from '../sys/account.ts'
import { makeFolder, readTextIfExists, syncFolder, writeFileAtomic } from '../sys/files.ts'
import { replaceAdditions } from './additions.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'
import { openLocalRelease } from './local-release.ts'
import { readTemplate } from './template.ts'

/** The configuration that goes into the folder of a release. */
export interface ConfigRequest {
  readonly paths: PrefixPaths
  readonly version: string
  readonly environment: string
  readonly config: NodeRecipe['config']
  readonly values: Readonly<Record<string, string>>
  /** Whose group may read it; undefined where it is run by whoever runs us. */
  readonly account: Account | undefined
}

/**
 * Write the configuration of a release into its folder, from its own templates and the values of today.
 *
 * Post: durable; root's where there is an account, whose group may read it as its mode says. A file that is as it should be is left alone.
 * What was written, for people. Errors: RECIPE_PLACEHOLDER, RELEASE_CHANGED (a folder is none), FILE_IO. Crash: run again.
 */
export function renderConfig(request: ConfigRequest): readonly string[] {
  const { paths, version, config, values, account } = request
  const release = releasePaths(paths, version)
  const { root } = release
  const written = config.flatMap(({ path: name, template, mode }) => {
    const text = fillPlaceholders(readTemplate({ ...request, template }), values, template)
    const file = path.join(root, name)
    makeFolders(root, path.dirname(name), { name, version })
    const wanted = { mode: Number.parseInt(mode, 8), gid: account?.gid ?? process.getegid!() }
    if (isAsWanted(file, text, wanted)) return []
    const owner = account === undefined ? undefined : { uid: 0, gid: wanted.gid }
    writeFileAtomic(file, text, { mode: wanted.mode, owner })
    return [name]
  })
  if (config.length > 0) replaceAdditions(release, addedNames(request))
  return written
}

/** The files, and those of their folders that are not the payload's: what a verification has to know of. */
function addedNames({ paths, version, config }: ConfigRequest): readonly string[] {
  const files = config.map(file => file.path)
  const folders = new Set(files.flatMap(name => foldersOf(path.dirname(name))))
  if (folders.size === 0) return files
  const shipped = openLocalRelease(paths, version).manifest?.files ?? []
  for (const entry of shipped) folders.delete(entry.path)
  return [...folders, ...files]
}

function foldersOf(name: string): readonly string[] {
  return name === '.' ? [] : [...foldersOf(path.dirname(name)), name]
}

/** Make the folders of a path, each durable in the one above it, and none through a link. */
function makeFolders(root: string, folder: string, asked: { readonly name: string; readonly version: string }): void {
  if (folder === '.') return
  makeFolders(root, path.dirname(folder), asked)
  const place = path.join(root, folder)
  const stat = fs.lstatSync(place, { throwIfNoEntry: false })
  if (stat?.isDirectory() === true) return
  if (stat !== undefined) {
    const message = `${asked.name} of ${asked.version} cannot be written: ${folder} is no folder`
    throw new ReleaseError('RELEASE_CHANGED', message, {
      hint: 'the folder of a configuration file must be neither a link nor a file: correct the recipe and cut a new version',
      details: { path: asked.name, found: folder, version: asked.version },
    })
  }
  makeFolder(place, { mode: 0o755 })
  syncFolder(path.dirname(place))
}

function isAsWanted(file: string, text: string, wanted: { readonly mode: number; readonly gid: number }): boolean {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  if (stat?.isFile() !== true || (stat.mode & 0o7777) !== wanted.mode || stat.gid !== wanted.gid) return false
  return readTextIfExists(file) === text
}
