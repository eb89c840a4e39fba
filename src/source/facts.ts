import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { compareVersions, isVersion } from '../core/version.ts'
import type { Recipe } from '../recipe/schema.ts'
import type { Git } from './git.ts'

/** Where a repository keeps things. Absolute paths. */
export interface RepositoryPlaces {
  readonly root: string
  readonly gitFolder: string
  /** The same as `gitFolder` but for linked worktrees, which share it. */
  readonly commonFolder: string
}

/** A commit as a release is cut from it. */
export interface CommitFacts {
  readonly commit: string
  readonly tree: string
  /** Committer time, seconds since 1970. */
  readonly timeSeconds: number
}

/** What the remote says; `unreachable` is no reason to stop, only to say so. */
export type RemoteFacts =
  | { readonly kind: 'none' }
  | { readonly kind: 'unreachable'; readonly reason: string }
  | {
      readonly kind: 'reached'
      readonly branchCommit: string | undefined
      /** Whether our commit has all of the remote's branch in it. */
      readonly contained: boolean
      readonly tags: readonly string[]
    }

/** Everything about a repository that decides whether a release can be cut from it. */
export interface RepositoryFacts {
  readonly places: RepositoryPlaces
  readonly head: CommitFacts
  /** Undefined when HEAD is detached. */
  readonly branch: string | undefined
  /** Changed and untracked paths, the output folder left out. */
  readonly dirty: readonly string[]
  readonly shallow: boolean
  readonly submodules: readonly string[]
  readonly hasIdentity: boolean
  readonly tags: readonly string[]
  /** Versions whose tags HEAD has in its history, oldest first. */
  readonly releases: readonly string[]
  readonly remote: RemoteFacts
}

const remoteTimeoutMs = 20_000

/** Find the repository that a folder is in. Errors: SOURCE_NOT_GIT. */
export async function findRepository(git: Git): Promise<RepositoryPlaces> {
  const nothing = (cause?: unknown) =>
    new ReleaseError('SOURCE_NOT_GIT', `${git.folder} is not in a git repository`, {
      cause,
      details: { path: git.folder },
    })
  // Asking git costs a process, and commands that publish are run on servers without clones, too.
  if (!foldersAbove(fs.realpathSync(git.folder)).some(folder => fs.existsSync(path.join(folder, '.git'))))
    throw nothing()
  const flags = ['--show-toplevel', '--absolute-git-dir', '--git-common-dir']
  const output = await git.run(['rev-parse', '--path-format=absolute', ...flags]).catch(caught => {
    throw caught instanceof ReleaseError && caught.code === 'GIT_FAILED' ? nothing(caught) : caught
  })
  const [root, gitFolder, commonFolder] = output.trimEnd().split('\n') as [string, string, string]
  return { root, gitFolder, commonFolder }
}

function foldersAbove(folder: string): readonly string[] {
  const above = path.dirname(folder)
  return above === folder ? [folder] : [folder, ...foldersAbove(above)]
}

/** Look at everything that {@link checkReady} judges, without a trace in the repository. Errors: SOURCE_EMPTY, GIT_FAILED. */
export async function readFacts(
  git: Git,
  places: RepositoryPlaces,
  options: { readonly source: Recipe['source']; readonly outputFolder: string },
): Promise<RepositoryFacts> {
  const { source } = options
  const head = await readHead(git)
  const [branch, dirty, shallow, submodules, hasIdentity, tags, merged, remote] = await Promise.all([
    readBranch(git),
    readDirty(git, path.relative(places.root, options.outputFolder)),
    git.run(['rev-parse', '--is-shallow-repository']),
    readSubmodules(git),
    readIdentity(git),
    readTags(git, []),
    readTags(git, [`--merged=${head.commit}`]),
    readRemote(git, source, head.commit),
  ])
  const releases = merged.flatMap(tag => versionOf(tag, source.tagPrefix) ?? []).toSorted(compareVersions)
  return {
    places,
    head,
    branch,
    dirty,
    shallow: shallow.trim() === 'true',
    submodules,
    hasIdentity,
    tags,
    releases,
    remote,
  }
}

/** The version that a tag marks, or undefined when it marks none. */
export function versionOf(tag: string, tagPrefix: string): string | undefined {
  if (!tag.startsWith(tagPrefix)) return undefined
  const version = tag.slice(tagPrefix.length)
  return isVersion(version) ? version : undefined
}

/** Read a commit that is there. Errors: GIT_FAILED. */
export async function readCommit(git: Git, revision: string): Promise<CommitFacts> {
  const output = await git.run(['show', '--no-patch', '--no-show-signature', '--format=%H %T %ct', revision])
  const [commit, tree, seconds] = output.trim().split(' ') as [string, string, string]
  return { commit, tree, timeSeconds: Number(seconds) }
}

/** Read the commit that HEAD is at. Errors: SOURCE_EMPTY. */
async function readHead(git: Git): Promise<CommitFacts> {
  if (!(await git.ask(['rev-parse', '--quiet', '--verify', 'HEAD^{commit}'])))
    throw new ReleaseError('SOURCE_EMPTY', `${git.folder} has no commit yet`, { details: { path: git.folder } })
  return readCommit(git, 'HEAD')
}

async function readBranch(git: Git): Promise<string | undefined> {
  if (!(await git.ask(['symbolic-ref', '--quiet', 'HEAD']))) return undefined
  const ref = (await git.run(['symbolic-ref', 'HEAD'])).trim()
  return ref.replace(/^refs\/heads\//, '')
}

async function readDirty(git: Git, outputFolder: string): Promise<readonly string[]> {
  const output = await git.run(['status', '--porcelain=v1', '-z', '--no-renames', '--untracked-files=normal'])
  const paths = output.split('\0').flatMap(entry => (entry === '' ? [] : [entry.slice(3)]))
  return paths.filter(entry => entry !== `${outputFolder}/` && !entry.startsWith(`${outputFolder}/`))
}

async function readSubmodules(git: Git): Promise<readonly string[]> {
  const output = await git.run(['ls-tree', '-r', '-z', '--full-tree', 'HEAD'])
  return output
    .split('\0')
    .flatMap(entry => (entry.startsWith('160000 ') ? [entry.slice(entry.indexOf('\t') + 1)] : []))
}

/** An identity that git only guesses from the machine's name is none. */
async function readIdentity(git: Git): Promise<boolean> {
  try {
    await git.run(['-c', 'user.useConfigOnly=true', 'var', 'GIT_COMMITTER_IDENT'])
    return true
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.code === 'GIT_FAILED') return false
    throw caught
  }
}

async function readTags(git: Git, flags: readonly string[]): Promise<readonly string[]> {
  const output = await git.run(['for-each-ref', ...flags, '--format=%(refname)', 'refs/tags'])
  return output.split('\n').flatMap(ref => (ref === '' ? [] : [ref.slice('refs/tags/'.length)]))
}

async function readRemote(git: Git, source: Recipe['source'], commit: string): Promise<RemoteFacts> {
  const names = (await git.run(['remote'])).split('\n')
  if (!names.includes(source.remote)) return { kind: 'none' }
  const patterns = [`refs/heads/${source.branch}`, 'refs/tags/*']
  let output: string
  try {
    output = await git.run(['ls-remote', '--refs', source.remote, ...patterns], { timeoutMs: remoteTimeoutMs })
  } catch (caught) {
    if (!(caught instanceof ReleaseError) || caught.code !== 'GIT_FAILED') throw caught
    return { kind: 'unreachable', reason: caught.message }
  }
  const refs = new Map(output.split('\n').map(line => line.split('\t').toReversed() as [string, string]))
  const branchCommit = refs.get(patterns[0]!)
  const tags = [...refs.keys()].flatMap(ref => (ref.startsWith('refs/tags/') ? [ref.slice('refs/tags/'.length)] : []))
  return { kind: 'reached', branchCommit, contained: await isContained(git, branchCommit, commit), tags }
}

async function isContained(git: Git, ancestor: string | undefined, commit: string): Promise<boolean> {
  if (ancestor === undefined || ancestor === commit) return true
  // What has not been fetched cannot be in our history.
  if (!(await git.ask(['rev-parse', '--quiet', '--verify', `${ancestor}^{commit}`]))) return false
  return git.ask(['merge-base', '--is-ancestor', ancestor, commit])
}
