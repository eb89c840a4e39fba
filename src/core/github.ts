/** A repository at GitHub. */
export interface GithubRepository {
  readonly owner: string
  readonly repository: string
}

/** Read `github:OWNER/REPO`; undefined when it is none. Source: GitHub's rules for names of accounts and repositories. */
export function parseGithubRepository(text: string): GithubRepository | undefined {
  const match = /^github:([A-Za-z0-9](?:[A-Za-z0-9-]{0,38}))\/([A-Za-z0-9._-]{1,100})$/.exec(text)
  const [, owner, repository] = match ?? []
  if (owner === undefined || repository === undefined || /^\.{1,2}$/.test(repository)) return undefined
  return { owner, repository }
}

/**
 * Say how GitHub calls an asset: runs of what is not a letter, digit, `_`, `-`, `+` or `.` become one `.`, and none stands at either end.
 *
 * Sent in this form nothing is renamed, so that every asset is found again by its name.
 * Source: docs.github.com, "Upload a release asset" (renaming); a `+` is kept as long as it is percent-encoded.
 */
export function assetName(label: string): string {
  return label.replace(/[.]*[^A-Za-z0-9_+.-]+[.]*/g, '.').replace(/^\.+|\.+$/g, '')
}
