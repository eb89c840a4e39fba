import fs from 'node:fs'
import path from 'node:path'
import type { RepositoryPlaces } from './facts.ts'
import { type Git, type GitOptions, gitIn } from './git.ts'

/** A file of the release commit that differs from the commit that the release is cut from. */
export interface FileEdit {
  readonly path: string
  readonly content: string
}

/** A file of a commit. Shape: `mode` as git has it: 100644, 100755 or 120000. */
export interface CommittedFile {
  readonly path: string
  readonly mode: '100644' | '100755' | '120000'
}

/**
 * A bare repository in a temporary folder that borrows the user's objects.
 *
 * Checking out, writing the release commit and signing its tag all happen here, so that the user's repository is not
 * touched (no ref, no index, no object) until everything about a release is known to be good.
 */
export interface Scratch {
  readonly git: Git
  readonly repository: string
  /** Write the files of a commit into a folder that does not exist, and list them in byte order. */
  readonly checkout: (commit: string, folder: string) => Promise<readonly CommittedFile[]>
  /** Write the tree of a commit with some files replaced or added. */
  readonly writeTree: (commit: string, edits: readonly FileEdit[]) => Promise<string>
  /** Write a commit; signed when git is configured to. Post: nothing points at it. */
  readonly writeCommit: (commit: {
    readonly tree: string
    readonly parent: string
    readonly message: string
  }) => Promise<string>
  /** Write an annotated tag (signed when git is configured to) and hand back its object. */
  readonly writeTag: (tag: {
    readonly name: string
    readonly commit: string
    readonly message: string
  }) => Promise<string>
}

/** Settings that make a checkout the same on every machine, whatever its owner has configured. */
const checkoutSettings = [
  'core.autocrlf=false',
  'core.eol=lf',
  'core.symlinks=true',
  'core.fileMode=true',
  'core.attributesFile=/dev/null',
]

/** Settings of the user that commits and tags follow. They are copied, for `includeIf "gitdir:…"` would not match here. */
const copiedSettings = /^(user|author|committer|gpg)\.|^(commit|tag)\.gpgsign$|^i18n\.|^filter\.|^lfs\./

/** Make a scratch repository. Pre: `folder` is empty or does not exist. Crash: only `folder` is left. Errors: GIT_FAILED. */
export async function openScratch(
  user: Git,
  places: RepositoryPlaces,
  options: { readonly folder: string } & Pick<GitOptions, 'environment' | 'signal'>,
): Promise<Scratch> {
  const repository = path.join(options.folder, 'repository.git')
  fs.mkdirSync(repository, { recursive: true })
  const format = (await user.run(['rev-parse', '--show-object-format'])).trim()
  await gitIn(repository, options).run([
    'init',
    '--quiet',
    '--bare',
    `--object-format=${format}`,
    '--template=',
    repository,
  ])
  fs.mkdirSync(path.join(repository, 'objects', 'info'), { recursive: true })
  fs.writeFileSync(
    path.join(repository, 'objects', 'info', 'alternates'),
    `${path.join(places.commonFolder, 'objects')}\n`,
  )
  fs.appendFileSync(path.join(repository, 'config'), renderSettings(await readSettings(user)))
  const git = gitIn(repository, { ...options, scratch: { repository, worktree: repository } })
  return {
    git,
    repository,
    checkout: (commit, folder) => checkout(repository, commit, folder, options),
    writeTree: (commit, edits) => writeTree(git, commit, edits),
    writeCommit: commit => writeCommit(git, commit),
    writeTag: tag => writeTag(git, tag),
  }
}

async function checkout(
  repository: string,
  commit: string,
  folder: string,
  options: Pick<GitOptions, 'environment' | 'signal'>,
): Promise<readonly CommittedFile[]> {
  fs.mkdirSync(folder)
  const git = gitIn(repository, { ...options, settings: checkoutSettings, scratch: { repository, worktree: folder } })
  await git.run(['read-tree', commit])
  await git.run(['checkout-index', '--all', '--force', '--quiet'])
  const output = await git.run(['ls-files', '--stage', '-z'])
  return output.split('\0').flatMap(entry => {
    const match = /^(\d+) [0-9a-f]+ \d\t(.*)$/s.exec(entry)
    return match === null ? [] : [{ mode: match[1] as CommittedFile['mode'], path: match[2]! }]
  })
}

async function writeTree(git: Git, commit: string, edits: readonly FileEdit[]): Promise<string> {
  await git.run(['read-tree', commit])
  for (const edit of edits) {
    const object = (await git.run(['hash-object', '-w', '--stdin'], { input: edit.content })).trim()
    const mode = await modeOf(git, edit.path)
    await git.run(['update-index', '--add', '--cacheinfo', `${mode},${object},${edit.path}`])
  }
  return (await git.run(['write-tree'])).trim()
}

async function modeOf(git: Git, file: string): Promise<string> {
  const output = await git.run(['--literal-pathspecs', 'ls-files', '--stage', '-z', '--', file])
  return output === '' ? '100644' : output.slice(0, 6)
}

async function writeCommit(
  git: Git,
  commit: { readonly tree: string; readonly parent: string; readonly message: string },
): Promise<string> {
  // Unlike `git commit` and `git tag`, this command does not look at the setting by itself.
  const signed = await git.run(['config', '--type=bool', '--default=false', '--get', 'commit.gpgSign'])
  const flags = signed.trim() === 'true' ? ['-S'] : []
  const args = ['commit-tree', ...flags, '-p', commit.parent, '-F', '-', commit.tree]
  return (await git.run(args, { input: commit.message })).trim()
}

async function writeTag(
  git: Git,
  tag: { readonly name: string; readonly commit: string; readonly message: string },
): Promise<string> {
  await git.run(['tag', '--annotate', '--cleanup=whitespace', '--file=-', tag.name, tag.commit], { input: tag.message })
  return (await git.run(['rev-parse', '--verify', `refs/tags/${tag.name}`])).trim()
}

async function readSettings(user: Git): Promise<readonly (readonly [string, string])[]> {
  const output = await user.run(['config', '--list', '--null', '--includes'])
  return output.split('\0').flatMap(entry => {
    const end = entry.indexOf('\n')
    // A key without a value means true.
    const [key, value] = end === -1 ? [entry, 'true'] : [entry.slice(0, end), entry.slice(end + 1)]
    return copiedSettings.test(key) ? [[key, value] as const] : []
  })
}

/** Write settings as a git configuration file. Source: git-config(1), "Syntax". */
export function renderSettings(settings: readonly (readonly [string, string])[]): string {
  const quoted = (text: string) => `"${text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t')}"`
  const lines = settings.map(([key, value]) => {
    const first = key.indexOf('.')
    const last = key.lastIndexOf('.')
    const subsection = first === last ? '' : ` ${quoted(key.slice(first + 1, last))}`
    return `[${key.slice(0, first)}${subsection}]\n\t${key.slice(last + 1)} = ${quoted(value)}\n`
  })
  return lines.join('')
}
