import path from 'node:path'

/** The places of a prefix, absolute. */
export interface PrefixPaths {
  readonly root: string
  /** `prefix.json`: what the prefix is for. */
  readonly identity: string
  /** TUF metadata trusted so far; `root.json` is the pinned root. */
  readonly trust: string
  readonly releases: string
  /** The link to the active release, relative: `releases/1.1.4`. */
  readonly current: string
  readonly shared: string
  readonly secrets: string
  /** Secrets of single versions: those that services read from files, those that came encrypted. */
  readonly secretFiles: string
  readonly journal: string
  readonly lock: string
  readonly cache: string
  readonly run: string
  readonly log: string
  readonly bin: string
}

/** Name the places of a prefix. Pre: `root` is absolute. */
export function prefixPaths(root: string): PrefixPaths {
  const at = (...names: string[]) => path.join(root, ...names)
  return {
    root,
    identity: at('prefix.json'),
    trust: at('trust'),
    releases: at('releases'),
    current: at('current'),
    shared: at('shared'),
    secrets: at('shared', 'secrets.json'),
    secretFiles: at('shared', '.secrets'),
    journal: at('journal', 'journal.ndjson'),
    lock: at('run', 'lock'),
    cache: at('cache'),
    run: at('run'),
    log: at('run', 'log'),
    bin: at('bin'),
  }
}

/** The places of one release of a prefix. Everything of ours in a release's folder is below `.cutover`. */
export function releasePaths(paths: PrefixPaths, version: string) {
  const root = path.join(paths.releases, version)
  return {
    root,
    /** Present from the first file on until the release is complete and synced. */
    incomplete: path.join(paths.releases, `${version}.incomplete`),
    metadata: path.join(root, '.cutover'),
    record: path.join(root, '.cutover', 'release.json'),
    /** As it was fetched, so that its digest is the one in the record: JSON, compressed by zstd as a rule. */
    manifest: path.join(root, '.cutover', 'manifest'),
    recipe: path.join(root, '.cutover', 'recipe.json'),
    /** What else setup put into the folder; see prefix/additions.ts. */
    additions: path.join(root, '.cutover', 'additions.json'),
    /** Secrets that came encrypted with the release; beside it, for its folder holds what was signed. */
    secrets: path.join(paths.secretFiles, `${version}.json`),
    /** What pip may install, by digest. */
    requirements: path.join(root, '.cutover', 'requirements.txt'),
    constraints: path.join(root, '.cutover', 'constraints.txt'),
    /** A link to the interpreter that setup chose. */
    runtime: path.join(root, '.cutover', 'runtime'),
    /** The virtualenv of a Python application; it cannot be moved, hence its place below the final path. */
    venv: path.join(root, 'venv'),
    python: path.join(root, 'venv', 'bin', 'python'),
  }
}

/** See {@link releasePaths}. */
export type ReleasePaths = ReturnType<typeof releasePaths>

/** The files that say what a release is to be: each is verified by a digest of its own, or lists the others. */
export function releaseDocuments({ record, manifest, recipe, additions }: ReleasePaths): readonly string[] {
  return [record, manifest, recipe, additions]
}

/** What stands beside the releases and is none: no version begins with a dot. */
export const besideReleases = {
  /** `.removed-VERSION-XXXX`: a release that goes, out of everybody's way until its files are deleted. */
  removed: '.removed-',
  /** `.mend-VERSION-XXXX`: files on their way into a release. */
  mending: '.mend-',
  /** What killed or interrupted runs had staged, numbered folders: the next staging takes from it what is good. */
  leftover: '.leftover',
  /** What stood where it should not have; kept for people, closed to everybody else. */
  quarantine: '.quarantine',
} as const
