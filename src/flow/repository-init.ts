import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { stableJson } from '../core/canonical-json.ts'
import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { known, runSteps, type Step } from '../core/step.ts'
import { renderKeyring } from '../repository/apt/sign.ts'
import type { RepositoryChange } from '../repository/change.ts'
import { assertSettings, defaultSettings, readDescription } from '../repository/description.ts'
import { defaultScryptCost } from '../repository/keys/encryption.ts'
import { type KeyFolder, openKeys } from '../repository/keys/folder.ts'
import { signingWith } from '../repository/keys/signing.ts'
import { applicationsOf, type RepositoryView } from '../repository/state.ts'
import type { TargetWriter } from '../repository/target.ts'
import { openTarget } from '../repository/targets/open.ts'
import { topLevelRoles } from '../repository/tuf/authority.ts'
import { firstRoot } from '../repository/tuf/root.ts'
import { timestampKey } from '../repository/tuf/state.ts'
import type { RepositoryDescription } from '../trust/layout.ts'
import { emptyIndex } from '../trust/release-index.ts'
import { targetsPayload, toBeSigned, withDelegated, writePayload } from './keys-change.ts'
import { publishChange } from './publish-change.ts'
import {
  cloneSettings,
  findClone,
  isFolder,
  keysFolder,
  type Publisher,
  type PublisherOptions,
  parsePlace,
  publisherOf,
  requireTrustedRoot,
  viewOf,
} from './publisher.ts'
import { writeServerConfiguration } from './server-configuration.ts'
import type { FlowTools } from './tools.ts'
import { assertUsable } from './usable-folder.ts'
import { assertName } from './usable-name.ts'

/** The repository to be made, or to get more applications. */
export interface RepositoryInitOptions extends PublisherOptions {
  readonly repository: string
  /** The folder's name when absent. */
  readonly name?: string | undefined
  /** Where clients will reach it; the folder itself as a `file:` address when absent. */
  readonly url?: string | undefined
  readonly applications: readonly string[]
  /** Encrypt the keys that are made; the environment names the file of the passphrase. */
  readonly encrypt?: boolean | undefined
  /** Publish nothing, and write the targets to this file, to be signed where their keys are. */
  readonly payload?: string | undefined
  /** Makes the settings that are to be of those that are. Errors: USAGE. */
  readonly settings?: (before: RepositorySettings) => RepositorySettings
}

/** What can be set of a repository. */
export type RepositorySettings = Pick<RepositoryDescription, 'channels' | 'lifetimesDays' | 'apt'>

/** What `release init` came to; the `result` of its last event. */
export interface RepositoryInitResult {
  readonly repository: string
  readonly name: string
  readonly keys: string
  /** The digest of the root: what installers compare with `--fingerprint`. */
  readonly fingerprint: string
  readonly applications: readonly string[]
}

interface InitState {
  readonly options: RepositoryInitOptions
  readonly tools: FlowTools
  /** A folder or an address. */
  readonly place: string
  readonly target: TargetWriter
  /** As it is to be. */
  description?: RepositoryDescription
  publisher?: Publisher
  view?: RepositoryView
  changed?: boolean
  /** The file that is to be signed. */
  written?: string
}

const steps: readonly Step<InitState, unknown>[] = [
  // Names that go into every command and page.
  { name: 'check the names', required: true, run: checkNames },
  // Keys are durable before anything is signed with them.
  { name: 'make the keys', required: true, run: makeKeys },
  { name: 'publish', required: false, run: publishAll },
  // Whoever serves the folder with a web server finds its configuration there.
  { name: 'write the server configuration', required: false, run: configureServer },
  // From now on `release upload` needs no flags here.
  { name: 'set up this clone', required: false, run: rememberInClone },
]

/**
 * Make a vendor repository with its keys, add applications to one, or change its settings.
 *
 * Post: `result` is a {@link RepositoryInitResult}; a second run changes nothing. With `payload` nothing is published: the targets are
 * written down, to be signed where their keys are. Crash: run again with the same options.
 * Errors: USAGE (the folder holds other things, a name or setting is not usable), KEY_*, those of publishing.
 */
export async function initRepository(options: RepositoryInitOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const { cwd, environment, repository } = options
  const place = parsePlace(repository, cwd)
  const state: InitState = { options, tools, place, target: openTarget(place, { cwd, environment }) }
  tools.emit({ kind: 'run-started', command: 'init', subject: place, steps: steps.map(step => step.name) })
  await runSteps(steps, state, { emit: tools.emit, nowMs: tools.clock.elapsedMs })
  report(state, tools.clock.elapsedMs() - startedMs)
}

async function checkNames(state: InitState): Promise<Outcome<string>> {
  const { options, place } = state
  if (isFolder(place)) assertUsable(place, names => names.some(name => repositoryEntries.has(name)))
  for (const application of options.applications) {
    assertName(application, 'write --application as the recipe writes the name of the application')
  }
  const existing = await readDescription(state.target).catch(caught => {
    if (caught instanceof ReleaseError && caught.code === 'REPOSITORY_UNKNOWN') return undefined
    throw caught
  })
  if (existing !== undefined) assertUnmoved(existing, options, place)
  const name = existing?.name ?? options.name ?? path.basename(place.replace(/[?#].*$/, ''))
  assertName(name, 'give the repository another name with --name')
  const url = isFolder(place) ? pathToFileURL(place).href : place.replace(/[?#].*$/, '')
  state.description = withOptions(existing ?? { schema: 1, name, url, aptKey: '', ...defaultSettings }, options)
  return done(state.description.name)
}

/** Settings as they are asked for. Errors: USAGE. */
function withOptions(
  base: RepositoryDescription,
  { url = base.url, settings }: RepositoryInitOptions,
): RepositoryDescription {
  const wanted = { ...base, ...settings?.(base), url }
  assertSettings(wanted)
  return wanted
}

/** What only a repository has, also one that was begun, and what an empty file system may have. */
const repositoryEntries: ReadonlySet<string> = new Set(['.cutover', 'metadata', 'repository.json', 'lost+found'])

/** apt takes another name for an attack. */
function assertUnmoved(
  { name }: RepositoryDescription,
  asked: Pick<RepositoryInitOptions, 'name'>,
  place: string,
): void {
  if (asked.name === undefined || asked.name === name) return
  throw new ReleaseError('USAGE', `${place} is called ${name}, which is fixed, expected ${asked.name}`, {
    hint: 'leave --name out, or make another repository in another folder',
  })
}

async function makeKeys(state: InitState): Promise<Outcome<string>> {
  const { options, tools, place, target } = state
  const description = known(state.description)
  const clone = await findClone(options, tools)
  const keysAt = await keysFolder(options, clone, description.name)
  const isPublished = (await target.head(timestampKey)) !== undefined
  const folder = isFolder(place) ? place : undefined
  const { environment, encrypt = false } = options
  const encryption = encrypt ? defaultScryptCost : undefined
  const keys = openKeys(keysAt, { repository: folder, create: !isPublished, environment, encryption })
  const nowMs = tools.clock.nowMs()
  if (!isPublished && keys.trustedRoot() === undefined) await makeFirstKeys(keys, description, nowMs)
  const trustedRoot = requireTrustedRoot(keys, place)
  const founding = isPublished ? undefined : { ...description, aptKey: await renderKeyring(keys.apt()) }
  state.publisher = publisherOf({ place, target, keys, trustedRoot, founding })
  return done(keys.folder)
}

async function makeFirstKeys(keys: KeyFolder, description: RepositoryDescription, nowMs: number): Promise<void> {
  assertNoneElsewhere(keys)
  for (const role of topLevelRoles) keys.ensureTuf(role)
  await keys.ensureApt(description.name, nowMs)
  keys.writeTrustedRoot(firstRoot(signingWith(keys, { nowMs, lifetimesDays: description.lifetimesDays })))
}

/** Keys are made in this order: a gap was left on purpose, for keys that are elsewhere, and their root is still to come. */
function assertNoneElsewhere(keys: KeyFolder): void {
  const names = [...topLevelRoles, 'apt']
  const missing = names.filter(name => !keys.has(name))
  if (names.slice(-missing.length).every(name => !keys.has(name))) return
  throw new ReleaseError('KEY_MISSING', `${keys.folder} has no key of ${missing.join(', ')}, and trusts no root yet`, {
    hint: 'make the first root with the public keys of the others (release keys init --public FILE --payload FILE) and import it',
    details: { path: keys.folder, missing },
  })
}

async function publishAll(state: InitState): Promise<Outcome<string>> {
  const { options, place, tools } = state
  const publisher = known(state.publisher)
  if (options.payload !== undefined) return writeTargets(state, options.payload)
  if (isFolder(place)) fs.mkdirSync(place, { recursive: true })
  const edit = async (view: RepositoryView) => initialChange(options, view)
  const { view, publication } = await publishChange({ publisher, command: 'release init', edit }, tools)
  state.view = view
  state.changed = publication !== undefined
  return state.changed ? done(place) : nothingToDo()
}

/** Write down what would be published, for the keys of the targets are elsewhere: `release keys import` publishes it. */
async function writeTargets(state: InitState, payload: string): Promise<Outcome<string>> {
  const { options, place, tools } = state
  const publisher = known(state.publisher)
  const view = await viewOf(publisher)
  state.view = view
  const change = initialChange(options, view)
  if (change === undefined) return nothingToDo()
  const delegations = withDelegated(view, publisher.keys, [...change.indexes.keys()])
  const targets = await targetsPayload(view, { description: change.description, delegations }, tools)
  await writePayload(targets, { ...options, repository: place, payload }, tools)
  state.written = payload
  return done(`nothing yet, for ${payload} is to be signed`)
}

function initialChange(options: RepositoryInitOptions, view: RepositoryView): RepositoryChange | undefined {
  const isNew = view.tuf.timestamp.version === 0
  const there = new Set(applicationsOf(view))
  const added = [...new Set(options.applications)].filter(name => !there.has(name))
  // Of a repository that is there only what is signed counts; the keys that sign it change by `release keys` alone.
  const wanted = withOptions(view.description, options)
  const isDescribed = isNew || stableJson(wanted) !== stableJson(view.description)
  if (!isDescribed && added.length === 0) return undefined
  return {
    indexes: new Map(added.map(name => [name, emptyIndex(name)])),
    ...(isDescribed ? { description: wanted } : {}),
  }
}

async function configureServer(state: InitState): Promise<Outcome<string>> {
  if (state.written !== undefined) return skipped('NOT_PUBLISHED', 'it comes with what is to be signed')
  if (!isFolder(state.place)) return skipped('NOT_A_FOLDER', 'the repository is behind a server already')
  const file = writeServerConfiguration(state.place, known(state.description))
  return file === undefined ? skipped('NO_PATH', 'nginx cannot be told such a path') : done(file)
}

async function rememberInClone(state: InitState): Promise<Outcome<string>> {
  const clone = await findClone(state.options, state.tools)
  if (clone === undefined) return skipped('NO_CLONE', 'this is not a git clone')
  await clone.git.run(['config', '--local', cloneSettings.repository, state.place])
  await clone.git.run(['config', '--local', cloneSettings.keys, known(state.publisher).keys.folder])
  return done(clone.places.root)
}

function nothingToDo(): Outcome<string> {
  return skipped('UP_TO_DATE', 'everything is there already')
}

function report(state: InitState, durationMs: number): void {
  const { keys, trustedRoot } = known(state.publisher)
  const result: RepositoryInitResult = {
    repository: state.place,
    name: known(state.description).name,
    keys: keys.folder,
    fingerprint: digestOf(trustedRoot),
    applications: [...new Set([...applicationsOf(known(state.view)), ...state.options.applications])].toSorted(),
  }
  state.tools.emit({
    kind: 'table',
    title: `Repository ${result.name}`,
    columns: ['What', 'Where'],
    rows: [
      ['place', result.repository],
      ['keys', result.keys],
      ['fingerprint', result.fingerprint],
      ['applications', result.applications.join(', ') || 'none yet'],
    ],
  })
  const changed = state.changed === true
  state.tools.emit({
    kind: 'run-done',
    command: 'init',
    changed,
    durationMs,
    message: endMessage(state),
    result,
  })
}

function endMessage({ place, changed, written }: InitState): string {
  if (written !== undefined) return toBeSigned(written)
  return changed === true ? `${place} is ready` : `${place} was ready already`
}
