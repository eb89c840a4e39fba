import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import type { Event } from '../core/event.ts'
import { isVersion } from '../core/version.ts'
import { cleanEnvironment } from '../prefix/command.ts'
import { type Account, unusedAccount } from '../sys/account.ts'
import { execute, tryExecute } from '../sys/exec.ts'
import { resolveUrl } from '../sys/http.ts'
import { findIsolation } from '../sys/isolation.ts'
import type { RevisionWorkspace } from './revision-workspace.ts'
import type { FlowTools } from './tools.ts'

/** A commit that is checked out, and how it is built. All paths are absolute. */
export interface RevisionBuild {
  /** Interpreter and executable of `release`. */
  readonly release: readonly [interpreter: string, executable: string]
  readonly recipe: string | undefined
  /** The address of the vendor repository: the only place that dependencies come from. */
  readonly repository: string
  readonly commit: string
  readonly workspace: RevisionWorkspace
}

const buildTimeoutMs = 2 * 60 * 60_000

/**
 * Build a checkout by `release cut --local`, and hand back the folder of the release.
 *
 * The build sees nothing of the caller's environment; its package managers are told of the vendor repository and of no other place.
 * Where the repository is on this machine it has no network at all, as far as the system lets us take it away. Root builds nothing
 * itself: the work is done by a user that exists for this alone.
 * Errors: REVISION_BUILD with what failed, EXEC_NOT_FOUND (there is no `release`), EXEC_TIMEOUT.
 */
export async function buildCommit(build: RevisionBuild, tools: FlowTools): Promise<string> {
  assertExecutable(build.release)
  const account = await handOver(build)
  const isOffline = build.repository.startsWith('file:')
  const isolation = await findIsolation({ network: isOffline ? 'none' : 'open' })
  if (isOffline && !isolation.network) {
    const message = 'this system does not let a build be kept from the network; its package managers are told of none'
    tools.emit({ kind: 'warning', code: 'BUILD_NETWORK', message })
  }
  const told = new ToldBuild(tools)
  const recipe = build.recipe === undefined ? [] : ['--recipe', build.recipe]
  const { exitCode, stderr } = await tryExecute(
    [...build.release, 'cut', '--local', '--json', '--output', build.workspace.dist, ...recipe],
    {
      cwd: build.workspace.checkout,
      environment: buildEnvironment(build),
      timeoutMs: buildTimeoutMs,
      signal: tools.signal,
      account,
      within: isolation.within,
      onLine: (stream, line) => told.take(stream, line),
    },
  ).catch(caught => {
    tools.signal.throwIfAborted()
    throw caught
  })
  if (exitCode === 0 && told.version !== undefined && isVersion(told.version))
    return path.join(build.workspace.dist, told.version)
  throw told.failure(build.commit, `exit code ${exitCode}: ${stderr.trim().split('\n').slice(-4).join('\n')}`)
}

function assertExecutable(release: RevisionBuild['release']): void {
  const [, file] = release
  if (fs.existsSync(file)) return
  throw new ReleaseError('EXEC_NOT_FOUND', `${file} does not exist: it builds revisions, beside cutover`, {
    hint: 'install the executable release beside cutover; servers that build nothing need none',
    details: { path: file },
  })
}

/** Give what the build works on to whoever builds; undefined: to whoever runs us. */
async function handOver({ workspace }: RevisionBuild): Promise<Account | undefined> {
  if (process.geteuid!() !== 0) return undefined
  const { checkout, dist, home, temporary } = workspace
  const account = unusedAccount()
  await execute(['chown', '-RhP', `${account.uid}:${account.gid}`, '--', checkout, dist, home, temporary])
  return account
}

/** Nothing answers there: package managers that are not told of the vendor repository have no other place to ask. */
const nowhere = 'http://127.0.0.1:9/'

/** Source: pip's and npm's documentation of their environment variables. */
function buildEnvironment({ repository, workspace }: RevisionBuild): Readonly<Record<string, string>> {
  return {
    ...cleanEnvironment,
    HOME: workspace.home,
    TMPDIR: workspace.temporary,
    // It speaks to nobody, and whoever builds may not be let read how the machine does.
    OPENSSL_CONF: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    PIP_CONFIG_FILE: '/dev/null',
    PIP_INDEX_URL: `${resolveUrl(repository, 'simple')}/`,
    npm_config_registry: nowhere,
    npm_config_offline: 'true',
    npm_config_fetch_retries: '0',
  }
}

/** Passes on what a build tells, and remembers what became of it. */
class ToldBuild {
  readonly #tools: FlowTools
  #error: { readonly code: string; readonly message: string; readonly hint: string } | undefined
  version: string | undefined

  constructor(tools: FlowTools) {
    this.#tools = tools
  }

  take(stream: 'stdout' | 'stderr', line: string): void {
    const event = stream === 'stdout' ? parseEvent(line) : undefined
    if (event === undefined) this.#tools.emit({ kind: 'output', step: 'build', stream, line })
    else this.#takeEvent(event)
  }

  #takeEvent(event: Event): void {
    switch (event.kind) {
      case 'run-done':
        this.version = (event.result as { readonly version?: string } | undefined)?.version
        break
      case 'run-failed':
        this.#error = event.error
        break
      case 'step-started':
      case 'step-done':
      case 'output':
      case 'progress':
      case 'warning':
        this.#tools.emit(event)
        break
      default:
        break
    }
  }

  failure(commit: string, otherwise: string): ReleaseError {
    const { code, message, hint } = this.#error ?? { code: 'unknown', message: otherwise, hint: undefined }
    return new ReleaseError('REVISION_BUILD', `${commit.slice(0, 12)} was not built, ${code}: ${message}`, {
      ...(hint === undefined ? {} : { hint }),
      details: { commit, reason: code },
    })
  }
}

function parseEvent(line: string): Event | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && 'kind' in value ? (value as Event) : undefined
  } catch {
    // Not from us, but from something that the build started.
    return undefined
  }
}
