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
    /** A link to the Node that setup chose. */
    runtime: path.join(root, '.cutover', 'runtime'),
    /** The virtualenv of a Python application; it cannot be moved, hence its place below the final path. */
    venv: path.join(root, 'venv'),
    python: path.join(root, 'venv', 'bin', 'python'),
  }
}
