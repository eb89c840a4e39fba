import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Digest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { namePattern } from '../core/name.ts'
import { type PrefixIdentity, readIdentityIfExists } from '../prefix/identity.ts'
import { type PrefixPaths, prefixPaths } from '../prefix/layout.ts'
import { makeFolders, makePrefix } from '../prefix/make.ts'
import { writeWrappers } from '../prefix/wrappers.ts'
import type { GateKind } from '../recipe/schema.ts'
import { bundleAddress } from '../sys/bundle-file.ts'
import { removeTemporaries } from '../sys/files.ts'
import { takeLock } from '../sys/lock.ts'
import { readBundleContents } from '../trust/bundle.ts'
import { openRepository, parseFingerprint, pinRoot } from '../trust/client.ts'
import type { FlowTools } from './tools.ts'
import { assertUsable } from './usable-folder.ts'

/** What `cutover init` is asked for. What is left out stays as it is in a prefix that exists. */
export interface InitOptions {
  readonly prefix: string
  /** An address, or a folder; that which a bundle names when absent. */
  readonly repository?: string | undefined
  /** That of a bundle when absent. */
  readonly application?: string | undefined
  /** An offline bundle that the root is taken from, for a server that does not reach its repository. */
  readonly from?: string | undefined
  readonly environment?: string | undefined
  /** The digest of the repository's root, `sha256:HEX` or `HEX`; without it the root is believed as it comes. */
  readonly rootFingerprint?: string | undefined
  readonly mode?: GateKind | undefined
  /** Values that replace those of the environment. */
  readonly variables?: Readonly<Record<string, string>> | undefined
  /** Interpreter and executable of `cutover`, absolute: what `bin/` calls. */
  readonly cutover: readonly string[]
}

/** What an initialisation came to; the `result` of its last event. */
export interface InitResult {
  readonly prefix: string
  readonly application: string
  readonly repository: string
  readonly environment: string
  readonly fingerprint: string
  readonly changed: boolean
}

/**
 * Make a prefix for an application: pin the root of its repository, write the identity, the folders and the commands in `bin/`.
 *
 * Post: run again with the same options it changes nothing. Errors: USAGE, PREFIX_MISMATCH (it belongs to another application or repository),
 * TRUST_*, BUNDLE_*, REPOSITORY_UNKNOWN, RELEASE_UNKNOWN (no such application), HTTP_FAILED, LOCKED. Crash: run it again.
 */
export async function init(options: InitOptions, tools: FlowTools): Promise<InitResult> {
  const startedMs = tools.clock.elapsedMs()
  const paths = prefixPaths(path.resolve(options.prefix))
  tools.emit({ kind: 'run-started', command: 'init', subject: paths.root, steps: [] })
  assertUsable(paths.root, names => names.includes('prefix.json') || names.every(isOfPrefix))
  // What a killed call left would count as somebody else's the next time.
  if (fs.existsSync(paths.root)) removeTemporaries(paths.identity)
  const before = readIdentityIfExists(paths)
  const identity = mergeIdentity(paths, before, { ...options, ...(await meant(options)) })
  const expected = options.rootFingerprint === undefined ? undefined : parseFingerprint(options.rootFingerprint)
  makeFolders(paths)
  using _lock = await takeLock(paths.lock, { command: 'init' })
  const isNew = before === undefined
  const address = options.from === undefined ? identity.repository : bundleAddress(options.from)
  const fingerprint = await trust(
    paths,
    { ...identity, repository: address },
    { expected, isNew, signal: tools.signal },
  )
  const isSame = !isNew && JSON.stringify(before) === JSON.stringify(identity)
  if (!isSame) makePrefix(paths, identity)
  const wrappers = writeWrappers(paths, options.cutover)
  const { application, repository, environment } = identity
  const changed = !isSame || wrappers.length > 0
  const result: InitResult = { prefix: paths.root, application, repository, environment, fingerprint, changed }
  tell(result, isNew, { tools, startedMs })
  return result
}

/** Tell whether a name in a folder comes from an initialisation, or may be there before one. */
function isOfPrefix(name: string): boolean {
  return prefixEntries.has(name) || name.startsWith('.prefix.json.')
}

/** What an initialisation that failed leaves, what may be put there before it, and what an empty file system may have. */
const prefixEntries: ReadonlySet<string> = new Set([
  'bin',
  'cache',
  'journal',
  'lost+found',
  'releases',
  'run',
  'shared',
  'trust',
])

/**
 * Pin the root of the repository. Before a prefix is made the repository must have the application, or else the root is not kept: it may be
 * that of a mistyped address.
 */
async function trust(
  { trust: folder }: PrefixPaths,
  { repository: repositoryUrl, application }: PrefixIdentity,
  options: { readonly expected: Digest | undefined; readonly isNew: boolean; readonly signal: AbortSignal },
): Promise<Digest> {
  const { expected, isNew, signal } = options
  const isSeeded = fs.readdirSync(folder).length > 0
  try {
    const pinned = expected === undefined ? {} : { fingerprint: expected }
    const { fingerprint } = await pinRoot({ folder, repositoryUrl, ...pinned })
    if (isNew) await openRepository({ folder, repositoryUrl, signal }).index(application)
    return fingerprint
  } catch (caught) {
    if (!isSeeded) for (const name of fs.readdirSync(folder)) fs.rmSync(path.join(folder, name))
    throw caught
  }
}

/** Which application of which repository a prefix is for. */
interface Meant {
  readonly repository: string
  readonly application: string
}

/** What is not said is taken from the bundle, which nobody has signed for that: `init` shows it, and all that comes from there is verified. */
async function meant({ repository, application, from }: InitOptions): Promise<Meant> {
  const contents = from === undefined ? undefined : await readBundleContents(from)
  const [place, name] = [repository ?? contents?.repository, application ?? contents?.application]
  if (place !== undefined && name !== undefined) return { repository: repositoryUrl(place), application: name }
  throw new ReleaseError('USAGE', `${place === undefined ? '--repository' : '--application'} is missing`, {
    hint: 'give --repository URL and --application NAME, or --from FILE with a bundle that names them; cutover init --help has more',
  })
}

/** Join what is asked for with what a prefix is already. Errors: PREFIX_MISMATCH. */
function mergeIdentity(
  paths: PrefixPaths,
  before: PrefixIdentity | undefined,
  options: Omit<InitOptions, keyof Meant> & Meant,
): PrefixIdentity {
  for (const key of ['application', 'repository'] as const) {
    if (before === undefined || before[key] === options[key]) continue
    throw new ReleaseError('PREFIX_MISMATCH', `${paths.root} has the ${key} ${before[key]}, expected ${options[key]}`, {
      hint:
        key === 'application'
          ? 'choose another folder: a prefix stays with its application'
          : `choose another folder; or, when the same repository has moved, write its address into ${paths.identity}: the pinned root stays`,
      details: { path: paths.root, found: before[key], expected: options[key] },
    })
  }
  assertName(options.application)
  const gateMode = options.mode ?? before?.gateMode
  // In the order in which stable JSON is read back, so that a comparison of texts is one of values.
  return {
    application: options.application,
    environment: options.environment ?? before?.environment ?? 'production',
    ...(gateMode === undefined ? {} : { gateMode }),
    layout: 1,
    repository: options.repository,
    schema: 1,
    ...(before?.settings === undefined ? {} : { settings: before.settings }),
    ...(before?.slot === undefined ? {} : { slot: before.slot }),
    variables: sortedEntries({ ...before?.variables, ...options.variables }),
  }
}

function sortedEntries(variables: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(variables).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function assertName(application: string): void {
  if (namePattern.test(application)) return
  throw new ReleaseError('USAGE', `not the name of an application: ${JSON.stringify(application)}`, {
    hint: 'write --application as the repository does; its start page lists all',
  })
}

function repositoryUrl(repository: string): string {
  if (/^https?:\/\//.test(repository)) return repository.replace(/\/+$/, '')
  const protocol = /^([a-z][a-z0-9+.-]*:)\/\//i.exec(repository)?.[1]
  if (protocol !== undefined && protocol !== 'file:') {
    throw new ReleaseError('USAGE', `${repository} has the protocol ${protocol}, which repositories are not read by`, {
      hint: 'give an address with http:, https: or file:, or a folder',
    })
  }
  const folder = repository.startsWith('file:') ? fileURLToPath(repository) : path.resolve(repository)
  return pathToFileURL(folder).href
}

function tell(
  result: InitResult,
  isNew: boolean,
  run: { readonly tools: FlowTools; readonly startedMs: number },
): void {
  const { emit, clock } = run.tools
  emit({
    kind: 'table',
    title: result.prefix,
    columns: ['', ''],
    rows: [
      ['application', result.application],
      ['environment', result.environment],
      ['repository', result.repository],
      ['root fingerprint', result.fingerprint],
      ['next', `${path.join(result.prefix, 'bin', 'install')} --version VERSION`],
    ],
  })
  const message = isNew ? 'the prefix is made' : result.changed ? 'the prefix is up to date' : 'nothing to do'
  const durationMs = clock.elapsedMs() - run.startedMs
  emit({ kind: 'run-done', command: 'init', changed: result.changed, durationMs, message, result })
}
