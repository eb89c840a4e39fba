import os from 'node:os'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { type KeyFolder, openKeys } from '../repository/keys/folder.ts'
import { readDescription } from '../repository/state.ts'
import type { TargetWriter } from '../repository/target.ts'
import { openDirectory } from '../repository/targets/directory.ts'
import { findRepository, type RepositoryPlaces } from '../source/facts.ts'
import { type Git, gitIn } from '../source/git.ts'
import type { FlowTools } from './tools.ts'

/** Where a command of the release side looks, before defaults are filled in. */
export interface PublisherOptions {
  readonly cwd: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The folder of the vendor repository; that of the clone's configuration when absent. */
  readonly repository?: string | undefined
  /** The folder of the signing keys. */
  readonly keys?: string | undefined
}

/** A vendor repository that can be published to. */
export interface Publisher {
  readonly folder: string
  readonly target: TargetWriter
  readonly keys: KeyFolder
  /** The root metadata that publishing is checked against. */
  readonly trustedRoot: string
}

/** The clone of an application that a command was started in. */
export interface Clone {
  readonly git: Git
  readonly places: RepositoryPlaces
}

/** The settings of a clone that spare the flags. */
export const cloneSettings = { repository: 'cutover.repository', keys: 'cutover.keys' } as const

/** Find the clone that a folder is in; undefined outside of one. */
export async function findClone(options: PublisherOptions, tools: FlowTools): Promise<Clone | undefined> {
  const git = gitIn(options.cwd, { environment: options.environment, signal: tools.signal })
  try {
    return { git, places: await findRepository(git) }
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.code === 'SOURCE_NOT_GIT') return undefined
    throw caught
  }
}

/** Find the folder of the repository: the flag, else the clone's configuration. Errors: USAGE. */
export async function repositoryFolder(options: PublisherOptions, clone: Clone | undefined): Promise<string> {
  const given = options.repository ?? (await readSetting(clone, cloneSettings.repository))
  if (given !== undefined) return path.resolve(options.cwd, given)
  throw new ReleaseError('USAGE', 'no repository is named, and this clone is set up for none', {
    hint: 'name it with --repository DIR, or run `release init DIR` once in this clone',
  })
}

/** Find the folder that releases are cut to: the one given, else `dist` in the clone. */
export function distFolderOf(
  options: { readonly cwd: string; readonly distFolder?: string | undefined },
  clone: Clone | undefined,
): string {
  return options.distFolder ?? path.join(clone?.places.root ?? options.cwd, 'dist')
}

/** Find the keys folder: the flag, else CUTOVER_KEYS, else the clone's configuration, else the user's configuration folder. */
export async function keysFolder(
  options: PublisherOptions,
  clone: Clone | undefined,
  repositoryName: string,
): Promise<string> {
  const { environment } = options
  const given = options.keys ?? environment['CUTOVER_KEYS'] ?? (await readSetting(clone, cloneSettings.keys))
  if (given !== undefined) return path.resolve(options.cwd, given)
  const home = environment['HOME'] ?? os.homedir()
  const configuration = environment['XDG_CONFIG_HOME'] ?? path.join(home, '.config')
  return path.join(configuration, 'cutover', 'keys', repositoryName)
}

/** Open an existing repository with its keys. Errors: USAGE, REPOSITORY_UNKNOWN, KEY_MISSING, KEY_PERMISSIONS, KEY_PLACE. */
export async function openPublisher(options: PublisherOptions, clone: Clone | undefined): Promise<Publisher> {
  const folder = await repositoryFolder(options, clone)
  const target = openDirectory(folder)
  const { name } = await readDescription(target)
  const keys = openKeys(await keysFolder(options, clone, name), { repository: folder, create: false })
  return { folder, target, keys, trustedRoot: requireTrustedRoot(keys, folder) }
}

/** The root that a keys folder trusts. Errors: KEY_MISSING: these are not the keys of the repository. */
export function requireTrustedRoot(keys: KeyFolder, folder: string): string {
  const trustedRoot = keys.trustedRoot()
  if (trustedRoot !== undefined) return trustedRoot
  throw new ReleaseError('KEY_MISSING', `${keys.folder} has no trusted-root.json for ${folder}`, {
    details: { path: keys.folder, repository: folder },
  })
}

/** Read a setting of a clone; undefined when it is not set, or there is no clone. */
export async function readSetting(clone: Clone | undefined, name: string): Promise<string | undefined> {
  if (clone === undefined) return undefined
  const value = await clone.git.run(['config', '--local', '--default', '', '--get', name])
  return value.trim() === '' ? undefined : value.trim()
}
