import type { Commit } from './commits.ts'

/** The groups of a release's changes, in the order that readers want them. */
const groups = [
  { title: 'Breaking changes', types: [] },
  { title: 'Features', types: ['feat'] },
  { title: 'Fixes', types: ['fix'] },
  { title: 'Security', types: ['security'] },
  { title: 'Performance', types: ['perf'] },
  { title: 'Reverted', types: ['revert'] },
  { title: 'Documentation', types: ['docs'] },
  { title: 'Other changes', types: undefined },
] as const

/** A commit read by the rules of Conventional Commits. */
interface ConventionalCommit {
  readonly type: string
  readonly scope: string | undefined
  readonly breaking: boolean
  readonly text: string
}

const firstHeading = '# Changelog\n\nAll releases, newest first.\n'

/**
 * Write a release's changes as Markdown, without a heading of its own.
 *
 * Commits are grouped when at least half of them follow Conventional Commits, else listed as they are.
 */
export function renderChanges(commits: readonly Commit[], options: { readonly first: boolean }): string {
  if (options.first) return 'The first release.\n'
  if (commits.length === 0) return 'No changes.\n'
  const read = commits.map(commit => ({ commit, conventional: parseConventional(commit) }))
  const following = read.filter(({ conventional }) => conventional !== undefined)
  if (following.length * 2 < commits.length)
    return list(commits.map(commit => item(escapeMarkup(commit.subject), commit)))
  const sections = groups.flatMap(group => {
    const members = read.filter(({ conventional }) => groupOf(conventional) === group.title)
    if (members.length === 0) return []
    return [
      `### ${group.title}\n\n${list(members.map(({ commit, conventional }) => item(lineOf(commit, conventional), commit)))}`,
    ]
  })
  return sections.join('\n')
}

/**
 * Put a release's section on top of a changelog. Pre: `changes` ends with a line end.
 *
 * Shape: Keep a Changelog: `## [1.1.4] - 2026-11-20`. What people wrote under `## [Unreleased]` becomes the release's text in
 * place of the list of commits. Source: keepachangelog.com/en/1.1.0.
 */
export function addToChangelog(
  changelog: string | undefined,
  release: { readonly version: string; readonly timeSeconds: number; readonly changes: string },
): { readonly changelog: string; readonly changes: string } {
  const text = changelog === undefined || changelog.trim() === '' ? firstHeading : changelog
  const date = new Date(release.timeSeconds * 1000).toISOString().slice(0, 10)
  const heading = `## [${release.version}] - ${date}\n`
  const unreleased = /^## \[?unreleased\]?[^\n]*\n([\s\S]*?)(?=^## |^\[[^\]\n]+\]: |$(?![\s\S]))/im.exec(text)
  if (unreleased === null) {
    const at = text.search(/^(## |\[[^\]\n]+\]: )/m)
    const head = (at === -1 ? text : text.slice(0, at)).trimEnd()
    const rest = at === -1 ? '' : `\n${text.slice(at)}`
    return { changelog: `${head}\n\n${heading}\n${release.changes}${rest}`, changes: release.changes }
  }
  const written = unreleased[1]!.trim()
  const changes = written === '' ? release.changes : `${written}\n`
  const title = unreleased[0].slice(0, unreleased[0].indexOf('\n') + 1)
  const rest = text.slice(unreleased.index + unreleased[0].length)
  const before = text.slice(0, unreleased.index)
  return { changelog: `${before}${title}\n${heading}\n${changes}${rest === '' ? '' : `\n${rest}`}`, changes }
}

/** Read a commit's subject by Conventional Commits. Source: conventionalcommits.org/en/v1.0.0 §1-16. */
function parseConventional({ subject, body }: Commit): ConventionalCommit | undefined {
  const match = /^([A-Za-z]+)(?:\(([^()\r\n]+)\))?(!)?: +(\S.*)$/.exec(subject)
  if (match === null) return undefined
  const [, type, scope, mark, text] = match as unknown as [
    string,
    string,
    string | undefined,
    string | undefined,
    string,
  ]
  return { type: type.toLowerCase(), scope, breaking: mark !== undefined || /^BREAKING[ -]CHANGE: /m.test(body), text }
}

function groupOf(commit: ConventionalCommit | undefined): string {
  if (commit?.breaking) return 'Breaking changes'
  const group = groups.find(({ types }) => (types as readonly string[] | undefined)?.includes(commit?.type ?? ''))
  return group?.title ?? 'Other changes'
}

function lineOf(commit: Commit, conventional: ConventionalCommit | undefined): string {
  if (conventional === undefined) return escapeMarkup(commit.subject)
  const text = escapeMarkup(conventional.text)
  return conventional.scope === undefined ? text : `**${escapeMarkup(conventional.scope)}:** ${text}`
}

function item(text: string, commit: Commit): string {
  return `- ${text} (${commit.commit.slice(0, 7)})`
}

function list(items: readonly string[]): string {
  return `${items.join('\n')}\n`
}

/** Keep a subject from being read as HTML or as a link to somewhere. */
function escapeMarkup(text: string): string {
  return text.replace(/[<>[\]]/g, '\\$&')
}
