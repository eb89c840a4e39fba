import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { parseReleaseRecord } from '../payload/release-record.ts'
import { builtFrom } from '../prefix/built-here.ts'
import { readIdentity } from '../prefix/identity.ts'
import { isComplete } from '../prefix/installed.ts'
import { readJournal } from '../prefix/journal.ts'
import { type PrefixPaths, prefixPaths } from '../prefix/layout.ts'
import { isUsable, replay } from '../prefix/state.ts'
import { listFiles, readFile, removeTree } from '../sys/files.ts'
import { takeLock } from '../sys/lock.ts'
import { type InstallOptions, install, type PreparedRelease } from './install.ts'
import type { InstallResult } from './install-report.ts'
import { resolveFromFolder } from './resolve.ts'
import { buildCommit } from './revision-build.ts'
import { checkOutCommit, findCommit, parseSource, type RevisionSource } from './revision-source.ts'
import { adoptRelease, openRevisionWorkspace } from './revision-workspace.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover install --rev` is asked for. */
export interface InstallRevisionOptions extends Omit<InstallOptions, 'version' | 'channel' | 'resolve' | 'prepare'> {
  /** A commit, a branch or a tag. */
  readonly revision: string
  /** The git repository; that of the prefix's settings when absent. */
  readonly source?: string | undefined
  /** A recipe outside of the repository: its file, or the folder that holds it. Absolute. */
  readonly recipe?: string | undefined
  /** Interpreter and executable of `cutover`, absolute: `release` lies beside it. */
  readonly cutover: readonly [interpreter: string, executable: string]
  /** The environment of whoever runs us: how git reaches the repository. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

/**
 * Build a revision of the application on this server, and install what was made as any other release.
 *
 * Post: a commit that is installed already was not built again. Errors: REVISION_OWNER, SOURCE_UNNAMED, SOURCE_ADDRESS, REVISION_UNKNOWN, REVISION_BUILD, GIT_FAILED,
 * EXEC_NOT_FOUND (no git, no `release`); those of {@link install}. Crash: in the cache of the prefix at worst; from then on as {@link install}.
 */
export async function installRevision(options: InstallRevisionOptions, tools: FlowTools): Promise<InstallResult> {
  const { revision, source, recipe, cutover, environment, ...others } = options
  const prepare = () => prepareRevision(options, tools)
  const result = await install({ ...others, prepare }, tools)
  if (result.changed) removeTree(builtReleases(sourceCache(prefixPaths(path.resolve(options.prefix)))))
  return result
}

/** Git believes the configuration of what it finds in the cache, and whoever owns the prefix may write there. */
function assertOwner({ root }: PrefixPaths): void {
  const { uid } = fs.statSync(root)
  if (uid === process.geteuid!()) return
  throw new ReleaseError('REVISION_OWNER', `${root} belongs to user ${uid}, and not to user ${process.geteuid!()}`, {
    hint: `run it as that user: sudo -u '#${uid}' cutover install --rev …`,
    details: { path: root, uid },
  })
}

const sourceCache = (paths: PrefixPaths) => path.join(paths.cache, 'source')
const builtReleases = (cache: string) => path.join(cache, 'dist')

async function prepareRevision(options: InstallRevisionOptions, tools: FlowTools): Promise<PreparedRelease> {
  const paths = prefixPaths(path.resolve(options.prefix))
  const { application, repository, settings } = readIdentity(paths)
  assertOwner(paths)
  const address = options.source ?? settings?.source
  if (address === undefined) {
    throw new ReleaseError('SOURCE_UNNAMED', `${paths.root} is told no git repository of ${application}`, {
      details: { path: paths.root, application },
    })
  }
  const { environment } = options
  const cache = sourceCache(paths)
  const source: RevisionSource = { address: parseSource(address), cache, environment, signal: tools.signal }
  const { waitLockMs: waitMs = 0 } = options
  const lock = { command: `install --rev ${options.revision}`, waitMs, signal: tools.signal }
  using _lock = await takeLock(path.join(cache, 'lock'), lock)
  const commit = await findCommit(source, options.revision)
  const installed = installedVersion(paths, commit)
  if (installed !== undefined) {
    tools.emit({ kind: 'note', message: `${commit.slice(0, 12)} was built here before, as ${installed}` })
    return { version: installed, resolve: resolveFromFolder(path.join(builtReleases(cache), installed), tools.signal) }
  }
  const folder = builtFolder(cache, commit) ?? (await build(options, { source, repository, commit }, tools))
  return { version: path.basename(folder), resolve: resolveFromFolder(folder, tools.signal) }
}

/** The version under which a commit is installed that was built here; undefined when it is not. */
function installedVersion(paths: PrefixPaths, commit: string): string | undefined {
  const state = replay(readJournal(paths.journal))
  const whole = [...state.releases.values()].filter(
    ({ version }) => isUsable(state, version) && isComplete(paths, version),
  )
  return whole.findLast(release => builtFrom(paths, release) === commit)?.version
}

/** What an earlier command built and did not install: it was a dry run, or it failed. */
function builtFolder(cache: string, commit: string): string | undefined {
  const dist = builtReleases(cache)
  const folders = listFiles(dist).map(name => path.join(dist, name))
  return folders.find(folder => {
    const record = path.join(folder, 'release.json')
    return fs.existsSync(record) && parseReleaseRecord(readFile(record)).commit === commit
  })
}

/** Build outside of the prefix, and keep what was made in its cache until it is installed. */
async function build(
  { cutover, recipe }: InstallRevisionOptions,
  at: { readonly source: RevisionSource; readonly repository: string; readonly commit: string },
  tools: FlowTools,
): Promise<string> {
  const { source, repository, commit } = at
  using workspace = openRevisionWorkspace(source.cache)
  await checkOutCommit(source, commit, workspace.checkout)
  const release = releaseBeside(cutover)
  const built = await buildCommit({ release, recipe, repository, commit, workspace }, tools)
  const dist = builtReleases(source.cache)
  // One is enough.
  removeTree(dist)
  const kept = path.join(dist, path.basename(built))
  adoptRelease(built, kept)
  return kept
}

/** `cutover.js` may be a link in a folder of the PATH; `release.js` lies where it leads. */
function releaseBeside([interpreter, executable]: InstallRevisionOptions['cutover']): readonly [string, string] {
  const file = fs.realpathSync(executable)
  return [interpreter, path.join(path.dirname(file), `release${path.extname(file)}`)]
}
