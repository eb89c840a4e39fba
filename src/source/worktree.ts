import fs from 'node:fs'
import path from 'node:path'
import type { Git } from './git.ts'

/** A commit that the branch was at, and the one that it is at now. */
export interface BranchMove {
  readonly from: string
  readonly to: string
}

/**
 * Bring index and files of the user's checkout from one commit to the next, path by path.
 *
 * Only paths that differ between the two commits are looked at, and of those only the ones that nobody has changed since;
 * the others are handed back and left alone. Running it again finishes what was cut short.
 * Pre: HEAD is at `to`; `git` runs in the root of the checkout. Errors: GIT_FAILED (the index is locked).
 */
export async function bringAlong(git: Git, move: BranchMove): Promise<{ readonly left: readonly string[] }> {
  const paths = await changedPaths(git, move)
  const [before, after, index] = await Promise.all([
    readBlobs(git, ['ls-tree', '-z', move.from, '--', ...paths]),
    readBlobs(git, ['ls-tree', '-z', move.to, '--', ...paths]),
    readBlobs(git, ['ls-files', '--stage', '-z', '--', ...paths]),
  ])
  const ours: string[] = []
  const left: string[] = []
  for (const file of paths) {
    const known = [before.get(file), after.get(file)]
    const worktree = await hashFile(git, file)
    const isKnown = known.includes(index.get(file)) && known.includes(worktree)
    if (isKnown) ours.push(file)
    else left.push(file)
  }
  const behind = ours.length > 0
  if (behind)
    await git.run(['--literal-pathspecs', 'restore', `--source=${move.to}`, '--staged', '--worktree', '--', ...ours])
  return { left }
}

async function changedPaths(git: Git, { from, to }: BranchMove): Promise<readonly string[]> {
  const output = await git.run(['diff-tree', '-r', '-z', '--name-only', '--no-renames', from, to])
  return output.split('\0').filter(file => file !== '')
}

/** Read the object of each path from what `ls-tree` or `ls-files --stage` prints. */
async function readBlobs(git: Git, args: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const output = await git.run(['--literal-pathspecs', ...args])
  const entries = output.split('\0').flatMap(entry => {
    const match = /^\d+ (?:blob )?([0-9a-f]+)(?: \d)?\t(.*)$/s.exec(entry)
    return match === null ? [] : [[match[2]!, match[1]!] as const]
  })
  return new Map(entries)
}

async function hashFile(git: Git, file: string): Promise<string | undefined> {
  const stat = fs.lstatSync(path.join(git.folder, file), { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  if (!stat.isFile()) return 'not a file'
  return (await git.run(['hash-object', '--', file])).trim()
}
