import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ReleaseError } from '../core/error.ts'
import { readDescription } from '../repository/description.ts'
import { withoutKeys } from '../repository/keys/environment.ts'
import { generateTufKey, type KeyFolder, openKeys } from '../repository/keys/folder.ts'
import type { TufKeyFile } from '../repository/keys/key-file.ts'
import { rememberState } from '../repository/keys/remember.ts'
import { canSign, signingWith } from '../repository/keys/signing.ts'
import { isOutlet } from '../repository/outlets/place.ts'
import { type RepositoryView, readRepository } from '../repository/state.ts'
import type { TargetWriter } from '../repository/target.ts'
import { openTarget } from '../repository/targets/open.ts'
import { rootAuthority } from '../repository/tuf/authority.ts'
import type { Signing } from '../repository/tuf/metadata.ts'
import { findRepository, type RepositoryPlaces } from '../source/facts.ts'
import { type Git, gitIn } from '../source/git.ts'
import type { RateLimit } from '../sys/rate-limit.ts'
import { applicationRole, type RepositoryDescription } from '../trust/layout.ts'
import type { FlowTools } from './tools.ts'

/** Where a command of the release side looks, before defaults are filled in. */
export interface PublisherOptions {
  readonly cwd: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The folder or address of the vendor repository; that of the clone's configuration when absent. */
  readonly repository?: string | undefined
  /** The folder of the signing keys. */
  readonly keys?: string | undefined
}

/** A vendor repository that can be published to. */
export interface Publisher {
  /** A folder or an address, as {@link openTarget} takes it. */
  readonly place: string
  readonly target: TargetWriter
  readonly keys: KeyFolder
  /** The root metadata that publishing is checked against. */
  readonly trustedRoot: string
  /** As the repository is to be, where nothing is published yet; absent: it must be there. */
  readonly founding?: RepositoryDescription | undefined
  /** Sign with the keys that are at hand. */
  readonly signing: (options: Pick<Signing, 'nowMs' | 'lifetimesDays'>) => Signing
  /**
   * See to it that applications without a role have keys; in memory only unless `store` is set.
   *
   * Errors: KEY_MISSING: too few keys of the top-level targets are at hand, so nothing can be delegated.
   */
  readonly ensureApplications: (
    names: readonly string[],
    options: { readonly store: boolean; readonly view: Pick<RepositoryView, 'tuf'> },
  ) => void
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
  const git = gitIn(options.cwd, { environment: withoutKeys(options.environment), signal: tools.signal })
  try {
    return { git, places: await findRepository(git) }
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.code === 'SOURCE_NOT_GIT') return undefined
    throw caught
  }
}

/** Find the place of the repository: the flag, else the clone's configuration, else the only one that its recipe publishes to. Errors: USAGE, RECIPE_*. */
export async function repositoryPlace(options: PublisherOptions, clone: Clone | undefined): Promise<string> {
  const given = options.repository ?? (await readSetting(clone, cloneSettings.repository))
  if (given !== undefined) return parsePlace(given, options.cwd)
  // Loaded late: where a clone is set up, its recipe is not asked.
  const { readUploadSettings } = await import('./upload-settings.ts')
  const { targets } = await readUploadSettings(options.cwd, clone)
  const [only, ...others] = targets.filter(place => !isOutlet(place))
  if (only !== undefined && others.length === 0) return parsePlace(only, options.cwd)
  throw unnamedRepository(only === undefined ? [] : [only, ...others])
}

function unnamedRepository(places: readonly string[]): ReleaseError {
  const what = places.length === 0 ? 'this clone is set up for none' : `the recipe has ${places.length}`
  return new ReleaseError('USAGE', `no repository is named, and ${what}`, {
    hint:
      places.length === 0
        ? 'name it with --repository PLACE, or run `release init DIR` once in this clone'
        : `name one with --repository: ${places.join(', ')}`,
    details: { places },
  })
}

/** Find the folder of a repository that is read from the disk. Errors: USAGE. */
export async function repositoryFolder(options: PublisherOptions, clone: Clone | undefined): Promise<string> {
  const place = await repositoryPlace(options, clone)
  if (isFolder(place)) return place
  if (place.startsWith('file:')) return fileURLToPath(place)
  throw new ReleaseError('USAGE', `${place} is not a folder on this machine`, {
    hint: 'name the folder of a repository, or a copy of it',
  })
}

/**
 * Read the name of a place: a folder is made absolute, an address stays as it is.
 *
 * Errors: USAGE for an address with a user: places are shown, stored and announced, and a password would be, too.
 */
export function parsePlace(place: string, cwd: string): string {
  if (isFolder(place)) return path.resolve(cwd, place)
  const shown = place.replace(/^([a-z][a-z0-9+.-]*:\/*)[^/]*@/i, '$1…@')
  if (shown === place) return place
  throw new ReleaseError('USAGE', `${shown} holds a user`, {
    hint: 'leave it out of the address: credentials are given by files and variables, such as ~/.netrc',
  })
}

/** Whether a place is a path, not an address. */
export function isFolder(place: string): boolean {
  return !/^[a-z][a-z0-9+.-]*:/i.test(place)
}

/** Find the folder that releases are cut to: the one given, else `dist` in the clone. */
export function distFolderOf(
  options: { readonly cwd: string; readonly distFolder?: string | undefined },
  clone: Clone | undefined,
): string {
  return options.distFolder ?? path.join(clone?.places.root ?? options.cwd, 'dist')
}

/** Find the keys folder: the flag, else CUTOVER_KEYS, else the clone's configuration, else that of the user for a repository of this name. Errors: USAGE. */
export async function keysFolder(
  options: PublisherOptions,
  clone: Clone | undefined,
  repositoryName: string | undefined,
): Promise<string> {
  const { environment } = options
  const given = options.keys ?? environment['CUTOVER_KEYS'] ?? (await readSetting(clone, cloneSettings.keys))
  if (given !== undefined) return path.resolve(options.cwd, given)
  if (repositoryName === undefined) {
    throw new ReleaseError('USAGE', 'no keys folder is named, and this clone is set up for none', {
      hint: 'name it with --keys DIR',
    })
  }
  const home = environment['HOME'] ?? os.homedir()
  const configuration = environment['XDG_CONFIG_HOME'] ?? path.join(home, '.config')
  return path.join(configuration, 'cutover', 'keys', repositoryName)
}

/**
 * Open a repository with its keys; one that is to be founded need not be there.
 *
 * Errors: USAGE, REPOSITORY_UNKNOWN, TARGET_*, KEY_MISSING, KEY_PERMISSIONS, KEY_PLACE.
 */
export async function openPublisher(
  options: PublisherOptions,
  clone: Clone | undefined,
  { bandwidth, founding }: { readonly bandwidth?: RateLimit | undefined } & Pick<Publisher, 'founding'> = {},
): Promise<Publisher> {
  const place = await repositoryPlace(options, clone)
  const { cwd, environment } = options
  const target = openTarget(place, { cwd, environment, bandwidth })
  const { name } = founding ?? (await readDescription(target))
  const folder = isFolder(place) ? place : undefined
  const keys = openKeys(await keysFolder(options, clone, name), { repository: folder, create: false, environment })
  return publisherOf({ place, target, keys, trustedRoot: requireTrustedRoot(keys, place), founding })
}

/**
 * Look at a publisher's repository, and refuse one that is older than what these keys have seen.
 *
 * Errors: REPOSITORY_UNKNOWN, REPOSITORY_DAMAGED, TRUST_*.
 */
export async function viewOf({ target, trustedRoot, keys, place, founding }: Publisher): Promise<RepositoryView> {
  const seen = keys.seenTimestamp(place)
  const view = await readRepository(target, trustedRoot, founding)
  rememberState(view.tuf, place, keys, seen)
  return view
}

/** A publisher with the keys that are at hand. */
export function publisherOf(parts: Omit<Publisher, 'signing' | 'ensureApplications'>): Publisher {
  const { keys, place } = parts
  const newKeys: TufKeyFile[] = []
  return {
    ...parts,
    signing: options => signingWith(keys, { ...options, newKeys }),
    ensureApplications: (names, { store, view }) => {
      const delegated = new Set(view.tuf.targets.delegations.roles.map(({ name }) => name))
      const added = names.filter(name => !delegated.has(applicationRole(name)))
      if (added.length === 0) return
      // A role that nobody can delegate to needs no key.
      if (!canSign(keys, rootAuthority(view.tuf.root, 'targets'))) throw noTargetsKey(added, keys.folder, place)
      for (const role of added.map(applicationRole)) {
        if (store) keys.ensureTuf(role)
        else if (!keys.has(role) && !newKeys.some(key => key.role === role)) newKeys.push(generateTufKey(role))
      }
    },
  }
}

function noTargetsKey(applications: readonly string[], folder: string, place: string): ReleaseError {
  const names = applications.join(', ')
  const flags = applications.map(name => ` --application ${name}`).join('')
  return new ReleaseError(
    'KEY_MISSING',
    `${folder} has not the keys of targets, which must sign that ${names} is added`,
    {
      hint: `give the folder that has them with --keys; if they are kept elsewhere, run: release init ${place} --keys ${folder}${flags} --payload FILE`,
      details: { path: folder, role: 'targets', applications },
    },
  )
}

/** The root that a keys folder trusts. Errors: KEY_MISSING: these are not the keys of the repository. */
export function requireTrustedRoot(keys: KeyFolder, place: string): string {
  const trustedRoot = keys.trustedRoot()
  if (trustedRoot !== undefined) return trustedRoot
  throw new ReleaseError('KEY_MISSING', `${keys.folder} has no trusted-root.json for ${place}`, {
    details: { path: keys.folder, repository: place },
  })
}

/** Read a setting of a clone; undefined when it is not set, or there is no clone. */
export async function readSetting(clone: Clone | undefined, name: string): Promise<string | undefined> {
  if (clone === undefined) return undefined
  const value = await clone.git.run(['config', '--local', '--default', '', '--get', name])
  return value.trim() === '' ? undefined : value.trim()
}
