import type { Git } from './git.ts'

/** A commit as the changelog sees it. */
export interface Commit {
  readonly commit: string
  readonly subject: string
  readonly body: string
}

/** List the commits of `to` that `from` has not, newest first, merges left out. Errors: GIT_FAILED. */
export async function readCommits(
  git: Git,
  range: { readonly from: string | undefined; readonly to: string },
): Promise<readonly Commit[]> {
  const span = range.from === undefined ? range.to : `${range.from}..${range.to}`
  const format = '--format=%H%x00%s%x00%b%x00'
  const output = await git.run([
    'log',
    '--no-merges',
    '--topo-order',
    '--no-show-signature',
    '--no-color',
    '--encoding=UTF-8',
    format,
    span,
    '--',
  ])
  const fields = output.split('\0')
  const commits: Commit[] = []
  for (let index = 0; index + 2 < fields.length; index += 3) {
    // The line end after each record belongs to the next one's first field.
    commits.push({ commit: fields[index]!.trim(), subject: fields[index + 1]!, body: fields[index + 2]!.trim() })
  }
  return commits
}
