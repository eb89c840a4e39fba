/** What a pinned environment is made of. */
export interface PinnedOptions {
  /** Seconds since 1970: the time that build tools are to take for now. */
  readonly sourceDateEpoch: number
  /** A folder of our own, empty but for `.npmrc`. */
  readonly home: string
  readonly temporary: string
  /** The folder of the interpreter that runs us, so that a build uses the same one. */
  readonly interpreterFolder: string
  /** The environment of whoever runs us. */
  readonly inherited: Readonly<Record<string, string | undefined>>
}

/** Where the system's programs are. A user's own additions to PATH are left out: another machine would not have them. */
const systemFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'] as const

/**
 * Variables that say where packages and certificates come from, never how something is built.
 *
 * Their content is the same whatever the address: package managers check it against the lock file.
 */
const passedVariables = new RegExp(
  `^(${[
    '(https?|all|no)_proxy',
    'ssl_cert_(file|dir)',
    'node_extra_ca_certs',
    '(requests|curl)_ca_bundle',
    'npm_config_(registry|offline|fetch_retries|cache|cafile|strict_ssl|https?_proxy|noproxy)',
    'npm_token',
    'node_auth_token',
    'pip_(index_url|extra_index_url|find_links|no_index|config_file|cert|trusted_host|proxy|cache_dir)',
  ].join('|')})$`,
  'i',
)

/** The mask that commands of a recipe run with. */
export const pinnedUmask = 0o022

/**
 * Make the environment in which a recipe's tests and build run: the same on every machine, for every user, at any time.
 *
 * Shape: TZ=UTC, LC_ALL and LANG C.UTF-8, SOURCE_DATE_EPOCH, HOME and TMPDIR of our own, PATH of the system with our interpreter
 * first; caches of npm and pip are the user's. Source: reproducible-builds.org/specs/source-date-epoch.
 */
export function pinnedEnvironment(options: PinnedOptions): Record<string, string> {
  const { inherited } = options
  const passed = Object.entries(inherited).filter(([name]) => passedVariables.test(name))
  return {
    ...cacheFolders(inherited['HOME']),
    ...Object.fromEntries(passed.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))),
    PATH: [options.interpreterFolder, ...systemFolders].join(':'),
    HOME: options.home,
    TMPDIR: options.temporary,
    TZ: 'UTC',
    LANG: 'C.UTF-8',
    LC_ALL: 'C.UTF-8',
    SOURCE_DATE_EPOCH: String(options.sourceDateEpoch),
    CI: 'true',
    PYTHONHASHSEED: '0',
    PYTHONDONTWRITEBYTECODE: '1',
    npm_config_update_notifier: 'false',
  }
}

/**
 * Take from a user's `.npmrc` where packages come from, with the credentials for it, and nothing that changes a build.
 *
 * Source: docs.npmjs.com/cli/configuring-npm/npmrc.
 */
export function registrySettings(npmrc: string): string {
  const wanted = /^\s*((@[\w.-]+:)?registry|\/\/[^=]+|cafile|ca(\[\])?|strict-ssl|(https-|http-)?proxy|noproxy)\s*=/
  const lines = npmrc.split('\n').filter(line => wanted.test(line))
  return lines.map(line => `${line.trim()}\n`).join('')
}

function cacheFolders(home: string | undefined): Record<string, string> {
  if (home === undefined || home === '') return {}
  return { npm_config_cache: `${home}/.npm`, PIP_CACHE_DIR: `${home}/.cache/pip` }
}
