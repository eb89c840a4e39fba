import { hash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { cleanEnvironment } from '../prefix/command.ts'
import { type Executed, tryExecute } from '../sys/exec.ts'
import { makeFolder } from '../sys/files.ts'

/** A git repository that a server builds revisions of, and where it keeps a copy of it. */
export interface RevisionSource {
  /** What git fetches from. */
  readonly address: string
  /** Absolute: the copies of all addresses are in it. */
  readonly cache: string
  /** The environment of whoever runs us: how to reach the repository comes from it. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

/** How long git may take for one command: a first clone can be large. */
const gitTimeoutMs = 30 * 60_000

/** Variables that say how to reach a repository; nothing else of the caller's reaches git. */
const passedVariables = /^(HOME|SSH_AUTH_SOCK|GIT_SSH_COMMAND|(https?|all|no)_proxy|SSL_CERT_(FILE|DIR))$/i

/**
 * Accept an address to clone from: https:, ssh: (also as `user@host:path`) and file:, or an absolute folder.
 *
 * Errors: SOURCE_ADDRESS: another transport, which may run programs or let others change what comes, or a password, which every user could see.
 */
export function parseSource(address: string): string {
  const isFolder = address.startsWith('/')
  const isUrl = /^(https|ssh|file):\/\/[^-]/.test(address) && !/^[^/]*\/\/[^/@]*:[^/@]*@/.test(address)
  const isScp = /^[\w.-]+@[\w.][\w.-]*:(?!:)[^-:]/.test(address)
  const isPlain = !/[\u0000-\u0020\u007f]/.test(address)
  if (isPlain && (isFolder || isUrl || isScp)) return address
  const shown = address.replace(/\/\/[^/@]*@/, '//…@')
  throw new ReleaseError('SOURCE_ADDRESS', `${JSON.stringify(shown)} is no address to clone from`, {
    details: { source: shown },
  })
}

/**
 * Find the commit that a revision names: in full, or as a branch, a tag or the beginning of a commit, in this order.
 *
 * A whole commit that is here is not asked for again; anything else is looked up anew, for branches move.
 * Errors: REVISION_UNKNOWN, GIT_FAILED, EXEC_NOT_FOUND (no git), EXEC_TIMEOUT. Crash: the copy is as it was or newer.
 */
export async function findCommit(source: RevisionSource, revision: string): Promise<string> {
  if (!/^(?!-)[\w./+-]{1,200}$/.test(revision) || revision.includes('..')) throw unknownRevision(source, revision)
  const isWhole = /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(revision)
  await openMirror(source)
  if (isWhole) {
    const known = await lookUp(source, revision)
    if (known !== undefined) return known
  }
  const refs = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*']
  await git(source, fetchWords(source, ['--prune', '--no-tags', '--', source.address, ...refs]))
  // Of what no branch and no tag leads to, whoever names it in full may get it: a server decides that.
  if (isWhole) await attemptGit(source, fetchWords(source, ['--no-tags', '--', source.address, revision]))
  const names = isWhole ? [revision] : [`refs/heads/${revision}`, `refs/tags/${revision}`, ...abbreviated(revision)]
  for (const name of names) {
    const commit = await lookUp(source, name)
    if (commit !== undefined) return commit
  }
  throw unknownRevision(source, revision)
}

/**
 * Check a commit out into an empty folder, as a repository that needs no other and has no remote.
 *
 * No hook, no filter and no submodule of it runs: nothing of a commit is executed by looking at it. Pre: {@link findCommit} found it.
 */
export async function checkOutCommit(source: RevisionSource, commit: string, folder: string): Promise<void> {
  // Whoever builds may not look into the prefix, and gets nothing that is a link to what is in there.
  const clone = ['clone', '--quiet', '--no-checkout', '--no-hardlinks', '--template=', '--', mirrorOf(source), folder]
  await git(source, clone)
  const within = ['-C', folder]
  await git(source, [...within, 'remote', 'remove', 'origin'])
  await git(source, [...within, 'config', 'core.hooksPath', '/dev/null'])
  await git(source, [...within, 'checkout', '--quiet', '--detach', commit])
}

const mirrorOf = ({ cache, address }: RevisionSource) =>
  path.join(cache, `${hash('sha256', address, 'hex').slice(0, 16)}.git`)

async function openMirror(source: RevisionSource): Promise<void> {
  const mirror = mirrorOf(source)
  if (fs.existsSync(path.join(mirror, 'HEAD'))) return
  makeFolder(source.cache)
  await git(source, ['init', '--quiet', '--bare', '--template=', '--', mirror])
}

function fetchWords(source: RevisionSource, words: readonly string[]): readonly string[] {
  return [`--git-dir=${mirrorOf(source)}`, 'fetch', '--quiet', '--force', '--no-write-fetch-head', ...words]
}

async function lookUp(source: RevisionSource, name: string): Promise<string | undefined> {
  const words = [`--git-dir=${mirrorOf(source)}`, 'rev-parse', '--quiet', '--verify', '--end-of-options']
  const { exitCode, stdout } = await attemptGit(source, [...words, `${name}^{commit}`])
  return exitCode === 0 ? stdout.trim() : undefined
}

const abbreviated = (revision: string) => (/^[0-9a-f]{7,40}$/.test(revision) ? [revision] : [])

/**
 * Settings that keep a repository from running anything. Source: git-config(1), git(1) GIT_ALLOW_PROTOCOL.
 */
const settings: readonly string[] = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'submodule.recurse=false',
  'fetch.recurseSubmodules=false',
  // A server that says nothing is given up.
  'http.lowSpeedLimit=100',
  'http.lowSpeedTime=60',
].flatMap(setting => ['-c', setting])

function environmentOf(inherited: RevisionSource['environment']): Readonly<Record<string, string>> {
  const passed = Object.entries(inherited).flatMap(([name, value]) =>
    value !== undefined && passedVariables.test(name) ? [[name, value] as const] : [],
  )
  return {
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15',
    ...cleanEnvironment,
    ...Object.fromEntries(passed),
    LC_ALL: 'C',
    // Filters, such as those of LFS, are defined by configuration; there is none.
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ALLOW_PROTOCOL: 'https:ssh:file',
    GIT_TERMINAL_PROMPT: '0',
  }
}

async function git(source: RevisionSource, words: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await attemptGit(source, words)
  if (exitCode === 0) return
  const said = stderr
    .split('\n')
    .filter(line => line.trim() !== '')
    .slice(-4)
    .join('\n')
  throw new ReleaseError('GIT_FAILED', `git, with ${source.address}, ended with exit code ${exitCode}: ${said}`, {
    hint: 'see whether this server reaches the repository; keys come from ssh, passwords from ~/.netrc',
    details: { source: source.address, exitCode },
  })
}

async function attemptGit(source: RevisionSource, words: readonly string[]): Promise<Executed> {
  try {
    return await tryExecute(['git', ...settings, ...words], {
      environment: environmentOf(source.environment),
      timeoutMs: gitTimeoutMs,
      signal: source.signal,
    })
  } catch (caught) {
    source.signal.throwIfAborted()
    throw caught
  }
}

function unknownRevision({ address }: RevisionSource, revision: string): ReleaseError {
  return new ReleaseError('REVISION_UNKNOWN', `${address} has no revision ${JSON.stringify(revision)}`, {
    details: { source: address, revision },
  })
}
