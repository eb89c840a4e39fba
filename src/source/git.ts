import { ReleaseError } from '../core/error.ts'

/** A git repository, or a folder in one, that commands are run in. */
export interface Git {
  readonly folder: string
  /** Run a command and hand back what it printed, line ends kept. Errors: GIT_FAILED. */
  readonly run: (args: readonly string[], options?: GitRunOptions) => Promise<string>
  /** Ask a question that git answers with exit code 0 or 1. Errors: GIT_FAILED for any other. */
  readonly ask: (args: readonly string[], options?: GitRunOptions) => Promise<boolean>
}

/** What one command gets besides its arguments. */
export interface GitRunOptions {
  readonly input?: string | Uint8Array
  /** End the command when it prints nothing for so long. */
  readonly timeoutMs?: number
}

/** How commands are run. */
export interface GitOptions {
  /** The environment of whoever runs us: identity, keys and credentials come from it. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal
  /** For a repository of our own: where it is, and where its files are checked out. */
  readonly scratch?: { readonly repository: string; readonly worktree: string }
  /** `-c` settings for every command. */
  readonly settings?: readonly string[]
}

/** Variables of git that say who somebody is and how to reach a remote. Those that say where a repository is never pass. */
const passedVariables =
  /^(GIT_(AUTHOR|COMMITTER)_(NAME|EMAIL|DATE)|GIT_SSH(_COMMAND|_VARIANT)?|(GIT|SSH)_ASKPASS|GIT_CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)|GIT_SSL_\w+)$/

/** simple-git refuses what a caller's input could abuse; our arguments are fixed and the environment is the user's own. */
const permitted = {
  allowUnsafeAskPass: true,
  allowUnsafeConfigEnvCount: true,
  allowUnsafeConfigPaths: true,
  allowUnsafeCredentialHelper: true,
  allowUnsafeSshCommand: true,
  allowUnsafeTemplateDir: true,
  allowUnsafeUrlRewrite: true,
} as const

/** Make a runner for commands in a folder. Nothing is run yet. */
export function gitIn(folder: string, options: GitOptions): Git {
  const environment = gitEnvironment(options)
  const execute = async (args: readonly string[], accepted: readonly number[], run: GitRunOptions = {}) => {
    // Loaded late: only commands that touch a repository pay for it.
    const { simpleGit } = await import('simple-git')
    let exitCode = 0
    const git = simpleGit({
      baseDir: folder,
      config: [...(options.settings ?? [])],
      allowEnvironment: Object.keys(environment),
      unsafe: permitted,
      // By default it waits 50 ms from the end of git to the end of its output, which is cut off where a busy machine needs longer.
      completion: { onClose: true, onExit: false },
      errors(error, result) {
        exitCode = result.exitCode
        if (accepted.includes(exitCode)) return undefined
        return error instanceof Error && !exitCode ? error : Buffer.concat([...result.stdErr, ...result.stdOut])
      },
      ...(run.input === undefined ? {} : { input: () => Buffer.from(run.input as Uint8Array) }),
      ...(run.timeoutMs === undefined ? {} : { timeout: { block: run.timeoutMs } }),
      ...(options.signal === undefined ? {} : { abort: options.signal }),
    })
    try {
      const output = await git.env(environment).raw([...args])
      return { output, exitCode }
    } catch (caught) {
      options.signal?.throwIfAborted()
      throw failure(args, folder, exitCode, caught)
    }
  }
  return {
    folder,
    run: async (args, run) => (await execute(args, [0], run)).output,
    ask: async (args, run) => (await execute(args, [0, 1], run)).exitCode === 0,
  }
}

function gitEnvironment(options: GitOptions): Record<string, string> {
  const passed = Object.entries(options.environment).flatMap(([name, value]) => {
    const isGits = name.startsWith('GIT_') || /^(EDITOR|VISUAL|PAGER|PREFIX)$/.test(name)
    return value === undefined || (isGits && !passedVariables.test(name)) ? [] : [[name, value] as const]
  })
  return {
    ...Object.fromEntries(passed),
    // What git prints is read by programs here.
    LC_ALL: 'C',
    // Looking at a repository must not write its index.
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    ...(options.scratch === undefined
      ? {}
      : { GIT_DIR: options.scratch.repository, GIT_WORK_TREE: options.scratch.worktree }),
  }
}

function failure(args: readonly string[], folder: string, exitCode: number, caught: unknown): ReleaseError {
  const words = caught instanceof Error ? caught.message : String(caught)
  const lines = words.split('\n').filter(line => line.trim() !== '')
  // A remote's address may hold a password.
  const text = lines
    .slice(-6)
    .join('\n')
    .replace(/\/\/[^/@\s]+@/g, '//')
  if (/ENOENT/.test(words) && exitCode < 0)
    return new ReleaseError('EXEC_NOT_FOUND', 'git was not found', { cause: caught, details: { command: 'git' } })
  return new ReleaseError('GIT_FAILED', `git ${args[0]} in ${folder} ended with exit code ${exitCode}: ${text}`, {
    details: { command: `git ${args.join(' ')}`, exitCode, folder },
  })
}
