import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { known, runSteps, type Step } from '../core/step.ts'
import { phases } from '../repository/document.ts'
import { type KeyFolder, openKeys } from '../repository/keys/folder.ts'
import { signingWith } from '../repository/keys/signing.ts'
import type { PublishOp } from '../repository/plan.ts'
import { keysOfNewApplications, type PreparedPublication, preparePublication } from '../repository/publication.ts'
import { applyPhase } from '../repository/publish.ts'
import { type RepositoryState, readDescription, readRepository } from '../repository/state.ts'
import type { TargetWriter } from '../repository/target.ts'
import { openDirectory } from '../repository/targets/directory.ts'
import { firstRoot } from '../repository/tuf/metadata.ts'
import { readTufState, timestampKey } from '../repository/tuf/state.ts'
import type { Lock } from '../sys/lock.ts'
import { applicationRole, type RepositoryDescription, repositoryFile } from '../trust/layout.ts'
import { cloneSettings, findClone, keysFolder, type PublisherOptions, requireTrustedRoot } from './publisher.ts'
import type { FlowTools } from './tools.ts'
import { assertUsable } from './usable-folder.ts'

/** The repository to be made, or to get more applications. */
export interface RepositoryInitOptions extends PublisherOptions {
  readonly repository: string
  /** The folder's name when absent. */
  readonly name?: string | undefined
  /** Where clients will reach it; the folder itself as a `file:` address when absent. */
  readonly url?: string | undefined
  readonly applications: readonly string[]
}

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
  readonly folder: string
  readonly target: TargetWriter
  description?: RepositoryDescription
  keys?: KeyFolder
  trustedRoot?: string
  lock?: Lock
  repository?: Pick<RepositoryState, 'tuf' | 'catalogue'>
  prepared?: PreparedPublication
}

const steps: readonly Step<InitState, unknown>[] = [
  // Names that go into every command and page.
  { name: 'check the names', required: true, run: checkNames },
  // Keys are durable before anything is signed with them.
  { name: 'make the keys', required: true, run: makeKeys },
  { name: 'read the repository', required: true, run: readExisting },
  { name: 'plan', required: false, run: plan },
  { name: 'publish', required: false, run: publishAll },
  // From now on `release upload` needs no flags here.
  { name: 'set up this clone', required: false, run: rememberInClone },
]

/**
 * Make a vendor repository with its keys, or add applications to one.
 *
 * Post: `result` is a {@link RepositoryInitResult}; a second run changes nothing. Crash: run again with the same options.
 * Errors: USAGE (the folder holds other things, a name is not usable), KEY_*, those of publishing.
 */
export async function initRepository(options: RepositoryInitOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const folder = path.resolve(options.cwd, options.repository)
  const state: InitState = { options, tools, folder, target: openDirectory(folder) }
  tools.emit({ kind: 'run-started', command: 'init', subject: folder, steps: steps.map(step => step.name) })
  try {
    await runSteps(steps, state, { emit: tools.emit, nowMs: tools.clock.elapsedMs })
  } finally {
    state.lock?.release()
  }
  report(state, tools.clock.elapsedMs() - startedMs)
}

async function checkNames(state: InitState): Promise<Outcome<string>> {
  const { options, folder } = state
  assertUsable(folder, names => names.some(name => repositoryEntries.has(name)))
  const name = options.name ?? path.basename(folder)
  assertName(name, 'give the repository another name with --name')
  for (const application of options.applications) {
    assertName(application, 'write --application as the recipe writes the name of the application')
  }
  const existing = await readDescription(state.target).catch(caught => {
    if (caught instanceof ReleaseError && caught.code === 'REPOSITORY_UNKNOWN') return undefined
    throw caught
  })
  if (existing !== undefined) assertUnmoved(existing, options, folder)
  state.description = existing ?? { schema: 1, name, url: options.url ?? pathToFileURL(folder).href, aptKey: '' }
  return done(state.description.name)
}

/** What only a repository has, also one that was begun, and what an empty file system may have. */
const repositoryEntries: ReadonlySet<string> = new Set(['.cutover', 'metadata', 'repository.json', 'lost+found'])

function assertName(text: string, hint: string): void {
  if (/^[a-z0-9][a-z0-9+.-]{1,62}$/.test(text)) return
  const expected = 'expected 2 to 63 of a-z 0-9 + . - , a letter or digit first'
  throw new ReleaseError('USAGE', `not a name: ${JSON.stringify(text)}, ${expected}`, { hint })
}

/** What was asked for and is not done must not look as if it was. */
function assertUnmoved(
  { name, url }: RepositoryDescription,
  asked: Pick<RepositoryInitOptions, 'name' | 'url'>,
  folder: string,
): void {
  if (asked.name !== undefined && asked.name !== name) {
    throw new ReleaseError('USAGE', `${folder} is called ${name}, which is fixed, expected ${asked.name}`, {
      hint: 'leave --name out, or make another repository in another folder',
    })
  }
  if (asked.url !== undefined && asked.url !== url) {
    throw new ReleaseError('USAGE', `${folder} is reached at ${url}, expected ${asked.url}`, {
      hint: `write the address into ${path.join(folder, repositoryFile)}; the next upload puts it on the pages`,
    })
  }
}

async function makeKeys(state: InitState): Promise<Outcome<string>> {
  const { options, tools, folder, target } = state
  const description = known(state.description)
  const clone = await findClone(options, tools)
  const keysAt = await keysFolder(options, clone, description.name)
  const isPublished = (await target.head(timestampKey)) !== undefined
  const keys = openKeys(keysAt, { repository: folder, create: !isPublished })
  if (!isPublished && keys.trustedRoot() === undefined) {
    const nowMs = tools.clock.nowMs()
    for (const role of ['root', 'targets', 'snapshot', 'timestamp']) keys.ensureTuf(role)
    await keys.ensureApt(description.name, nowMs)
    keys.writeTrustedRoot(firstRoot(signingWith(keys, { nowMs })))
  }
  state.keys = keys
  state.trustedRoot = requireTrustedRoot(keys, folder)
  return done(keys.folder)
}

async function readExisting(state: InitState): Promise<Outcome<string>> {
  const keys = known(state.keys)
  const trustedRoot = known(state.trustedRoot)
  fs.mkdirSync(state.folder, { recursive: true })
  state.lock = await state.target.lock('release init')
  if ((await state.target.head(timestampKey)) !== undefined) {
    state.repository = await readRepository(state.target, trustedRoot)
    return done(state.repository.catalogue.applications.map(entry => entry.name).join(', ') || 'no application yet')
  }
  const description = { ...known(state.description), aptKey: keys.apt().publicKey }
  // An initialisation that was killed may have left metadata: its version numbers are taken.
  state.repository = {
    tuf: await readTufState(state.target, trustedRoot),
    catalogue: { description, applications: [] },
  }
  return done('a new one')
}

async function plan(state: InitState): Promise<Outcome<string>> {
  const { options, target } = state
  const repository = known(state.repository)
  const keys = known(state.keys)
  const added = [...new Set(options.applications)].filter(name => !repository.tuf.roles.has(applicationRole(name)))
  if (repository.tuf.timestamp.version > 0 && added.length === 0) return nothingToDo()
  const newKeys = keysOfNewApplications(repository.tuf, added, { keys, store: true })
  const nowMs = state.tools.clock.nowMs()
  const trustedRoot = known(state.trustedRoot)
  state.prepared = await preparePublication(
    repository,
    { applications: added },
    { target, keys, trustedRoot, newKeys, nowMs },
  )
  return done(added.length === 0 ? 'an empty repository' : `with ${added.join(', ')}`)
}

async function publishAll(state: InitState): Promise<Outcome<string>> {
  if (state.prepared === undefined) return nothingToDo()
  const { publication, documents } = state.prepared
  const bytes = new Map(documents.map(document => [digestOf(document.bytes), document.bytes]))
  for (const phase of phases) {
    await applyPhase(publication, phase, {
      target: state.target,
      openSource: op => inMemory(op, bytes),
      onOp: () => {},
      signal: state.tools.signal,
    })
  }
  return done(`${publication.phases.reduce((sum, { ops }) => sum + ops.length, 0)} files`)
}

async function rememberInClone(state: InitState): Promise<Outcome<string>> {
  const clone = await findClone(state.options, state.tools)
  if (clone === undefined) return skipped('NO_CLONE', 'this is not a git clone')
  await clone.git.run(['config', '--local', cloneSettings.repository, state.folder])
  await clone.git.run(['config', '--local', cloneSettings.keys, known(state.keys).folder])
  return done(clone.places.root)
}

function nothingToDo(): Outcome<string> {
  return skipped('UP_TO_DATE', 'everything is there already')
}

async function* inMemory(op: PublishOp, bytes: ReadonlyMap<string, Buffer>): AsyncGenerator<Uint8Array> {
  yield known(bytes.get(op.digest))
}

function report(state: InitState, durationMs: number): void {
  const { description, applications } = known(state.repository).catalogue
  const result: RepositoryInitResult = {
    repository: state.folder,
    name: description.name,
    keys: known(state.keys).folder,
    fingerprint: digestOf(known(state.trustedRoot)),
    applications: [...new Set([...applications.map(entry => entry.name), ...state.options.applications])].toSorted(),
  }
  state.tools.emit({
    kind: 'table',
    title: `Repository ${result.name}`,
    columns: ['What', 'Where'],
    rows: [
      ['folder', result.repository],
      ['keys', result.keys],
      ['fingerprint', result.fingerprint],
      ['applications', result.applications.join(', ') || 'none yet'],
    ],
  })
  const changed = state.prepared !== undefined
  state.tools.emit({
    kind: 'run-done',
    command: 'init',
    changed,
    durationMs,
    message: changed ? `${state.folder} is ready` : `${state.folder} was ready already`,
    result,
  })
}
