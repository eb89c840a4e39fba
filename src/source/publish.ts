import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { delay } from '../sys/clock.ts'
import { readTextIfExists, removeTemporaries, syncFolder, writeFileAtomic } from '../sys/files.ts'
import type { RepositoryPlaces } from './facts.ts'
import type { Git } from './git.ts'
import type { Scratch } from './scratch.ts'
import { bringAlong } from './worktree.ts'

/**
 * The move of refs that makes a release, written down before it is begun.
 *
 * Shape: `.git/cutover/pending.json`. `to` equals `from` when the release changes no file; then only the tag is made.
 */
export interface PendingRelease {
  readonly schema: 1
  readonly version: string
  readonly branch: string
  readonly from: string
  readonly to: string
  readonly tag: string
  /** The annotated tag's own object. */
  readonly tagObject: string
}

/** A release that has its tag, and how far the user's files followed. */
export interface PublishedRelease {
  readonly left: readonly string[]
  readonly unfinished?: ReleaseError
}

/** What became of a release whose command was killed while it moved refs. */
export type FinishedPending =
  | { readonly kind: 'none' }
  /** Killed before the tag existed: nothing of it is left. */
  | { readonly kind: 'undone'; readonly release: PendingRelease }
  /** Killed after: branch, tag, index and files agree now. */
  | { readonly kind: 'finished'; readonly release: PendingRelease; readonly left: readonly string[] }

/** Every object and ref is on disk before the next step; git's default leaves loose objects to the kernel. Source: git-config(1), core.fsync. */
const durable = ['-c', 'core.fsync=all'] as const

/**
 * Publish a release commit and its tag in the user's repository: objects first, then branch and tag in one transaction,
 * then the user's files.
 *
 * Pre: the lock of {@link lockFile} is held; `git` runs in the root of the checkout and is not ended by a signal. Post: `left` are files that somebody changed meanwhile and that were not touched;
 * `unfinished` says why none could be (the index is locked), and then {@link finishPending} has it to do.
 * Errors: SOURCE_MOVED (the branch is no longer where it was, or the tag appeared), GIT_FAILED; in both nothing changed.
 * Crash: before the transaction nothing but unreferenced objects; from then on {@link finishPending} brings it to its end.
 * Source: git-update-ref(1), --stdin.
 */
export async function publishRelease(
  git: Git,
  places: RepositoryPlaces,
  scratch: Scratch,
  pending: PendingRelease,
): Promise<PublishedRelease> {
  // The scratch repository's tag brings the commit and its files along; no ref is written here.
  const flags = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-gc']
  await git.run([...durable, 'fetch', ...flags, scratch.repository, `refs/tags/${pending.tag}`])
  fs.mkdirSync(path.dirname(pendingFile(places)), { recursive: true })
  writeFileAtomic(pendingFile(places), `${JSON.stringify(pending)}\n`)
  try {
    await moveRefs(git, pending)
  } catch (caught) {
    // Interrupted in the middle, git may have moved one ref and not the other: that is finished as after a kill.
    const outcome = await finishPending(git, places)
    if (outcome.kind === 'finished') return { left: outcome.left }
    throw await explainRefusal(git, pending, toReleaseError(caught))
  }
  try {
    const { left } = await finishFiles(git, pending)
    removePending(places)
    return { left }
  } catch (caught) {
    // The release is made; what is missing in the user's files must not look like a failure to make it.
    return { left: [], unfinished: toReleaseError(caught) }
  }
}

/**
 * Finish or drop what a killed {@link publishRelease} left. Pre: the lock of {@link lockFile} is held; `git` runs in the root of the checkout.
 *
 * Errors: DOCUMENT_INVALID, GIT_FAILED.
 */
export async function finishPending(git: Git, places: RepositoryPlaces): Promise<FinishedPending> {
  removeTemporaries(pendingFile(places))
  const pending = readPending(places)
  if (pending === undefined) return { kind: 'none' }
  await clearRefLocks(places, pending)
  const branch = await readRef(git, `refs/heads/${pending.branch}`)
  const tag = await readRef(git, `refs/tags/${pending.tag}`)
  const branchMoved = pending.from !== pending.to && branch === pending.to
  if (tag !== pending.tagObject && !branchMoved) {
    removePending(places)
    return { kind: 'undone', release: pending }
  }
  // git renames one ref after the other: a kill between them is finished forward, for all objects are there.
  if (tag === undefined) await git.run([...durable, 'update-ref', `refs/tags/${pending.tag}`, pending.tagObject, ''])
  if (branch === pending.from && pending.from !== pending.to)
    await git.run([...durable, 'update-ref', `refs/heads/${pending.branch}`, pending.to, pending.from])
  const { left } = await finishFiles(git, pending)
  removePending(places)
  return { kind: 'finished', release: pending, left }
}

/** Where commands that change the repository exclude each other. */
export function lockFile(places: RepositoryPlaces): string {
  return path.join(places.commonFolder, 'cutover', 'lock')
}

async function moveRefs(git: Git, pending: PendingRelease): Promise<void> {
  const moveBranch =
    pending.from === pending.to
      ? `verify refs/heads/${pending.branch} ${pending.from}\n`
      : `update refs/heads/${pending.branch} ${pending.to} ${pending.from}\n`
  const createTag = `create refs/tags/${pending.tag} ${pending.tagObject}\n`
  const args = [...durable, 'update-ref', '--create-reflog', '-m', `release: ${pending.tag}`, '--stdin']
  await git.run(args, { input: `start\n${moveBranch}${createTag}prepare\ncommit\n` })
}

async function explainRefusal(git: Git, pending: PendingRelease, cause: ReleaseError): Promise<ReleaseError> {
  const branch = await readRef(git, `refs/heads/${pending.branch}`)
  const tag = await readRef(git, `refs/tags/${pending.tag}`)
  if (branch === pending.from && tag === undefined) return cause
  const found = branch === pending.from ? `the tag ${pending.tag} appeared` : `${pending.branch} is at ${branch}`
  return new ReleaseError('SOURCE_MOVED', `while the release was made ${found}, expected ${pending.from}`, {
    cause,
    details: { branch: pending.branch, expected: pending.from, found: branch, tag: pending.tag },
  })
}

/** Somebody who switched branches meanwhile keeps their files. */
async function finishFiles(git: Git, pending: PendingRelease): Promise<{ readonly left: readonly string[] }> {
  if (pending.from === pending.to) return { left: [] }
  const head = await readRef(git, 'HEAD')
  if (head !== pending.to) return { left: [] }
  return bringAlong(git, pending)
}

async function readRef(git: Git, ref: string): Promise<string | undefined> {
  if (!(await git.ask(['rev-parse', '--quiet', '--verify', ref]))) return undefined
  return (await git.run(['rev-parse', '--verify', ref])).trim()
}

/**
 * Remove ref locks that a killed transaction of ours left: they hold the very objects that we were about to publish.
 *
 * A git that was started by the killed command may still be about to end, so it is given a moment.
 */
async function clearRefLocks(places: RepositoryPlaces, pending: PendingRelease): Promise<void> {
  const locks = [
    { file: path.join(places.commonFolder, `refs/heads/${pending.branch}.lock`), object: pending.to },
    { file: path.join(places.commonFolder, `refs/tags/${pending.tag}.lock`), object: pending.tagObject },
  ]
  const isOurs = ({ file, object }: (typeof locks)[number]) => {
    const text = readTextIfExists(file)
    // Between making a lock and filling it git leaves it empty.
    return text !== undefined && (text === '' || text.trim() === object)
  }
  for (let tries = 0; tries < 20 && locks.some(isOurs); tries++) await delay(50)
  for (const lock of locks.filter(isOurs)) fs.rmSync(lock.file, { force: true })
}

function readPending(places: RepositoryPlaces): PendingRelease | undefined {
  const file = pendingFile(places)
  const text = readTextIfExists(file)
  if (text === undefined) return undefined
  const value: unknown = parsePending(text)
  if (!isPending(value))
    throw new ReleaseError('DOCUMENT_INVALID', `${file} is not a release that was begun`, {
      hint: `look at git log and git tag; when both are as they should be, remove ${file}`,
      details: { path: file },
    })
  return value
}

function parsePending(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isPending(value: unknown): value is PendingRelease {
  if (typeof value !== 'object' || value === null || !('schema' in value) || value.schema !== 1) return false
  const record = value as Readonly<Record<string, unknown>>
  const isObject = (key: string) => /^[0-9a-f]{40,64}$/.test(String(record[key]))
  const isName = (key: string) => typeof record[key] === 'string' && /^[^\s~^:?*[\\]+$/.test(record[key])
  return isName('version') && isName('branch') && isName('tag') && ['from', 'to', 'tagObject'].every(isObject)
}

function removePending(places: RepositoryPlaces): void {
  fs.rmSync(pendingFile(places), { force: true })
  syncFolder(path.dirname(pendingFile(places)))
}

function pendingFile(places: RepositoryPlaces): string {
  return path.join(places.commonFolder, 'cutover', 'pending.json')
}
