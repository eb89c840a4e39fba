import { stripVTControlCharacters } from 'node:util'
import { ReleaseError } from '../core/error.ts'
import { type Account, launchAs } from './account.ts'

export interface ExecuteOptions {
  readonly cwd?: string
  /** The whole environment of the command when given; otherwise it inherits ours. */
  readonly environment?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  readonly input?: string | Uint8Array
  /** Called for every line as it comes. */
  readonly onLine?: (stream: 'stdout' | 'stderr', line: string) => void
  /** File mode creation mask for the command, through `sh`; inherited when absent. */
  readonly umask?: number
  /** Whom it runs as; whoever runs us when absent. */
  readonly account?: Account | undefined
  /** What starts it, such as `unshare --net --`. */
  readonly within?: readonly string[]
  /** Leave what it printed out of errors, and hand it back as it is, with its last line break. */
  readonly isOutputSecret?: boolean
}

/** What came of a command that ran to its end. */
export interface Executed {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

/**
 * Run a command to its end and hand back what it printed.
 *
 * Pre: `argv` holds no secrets (they are visible to every user of the machine): pass those by file or environment.
 * Errors: EXEC_NOT_FOUND, EXEC_EXHAUSTED, EXEC_TIMEOUT, EXEC_FAILED (exit code not 0, or a signal) with the last lines of its output.
 */
export async function execute(argv: readonly [string, ...string[]], options: ExecuteOptions = {}): Promise<Executed> {
  const result = await tryExecute(argv, options)
  if (result.exitCode !== 0) {
    const shown = options.isOutputSecret === true ? '' : tail(result)
    throw new ReleaseError('EXEC_FAILED', `${describe(argv)} ended with exit code ${result.exitCode}${shown}`, {
      details: { command: describe(argv), exitCode: result.exitCode, cwd: options.cwd },
    })
  }
  return result
}

/** Run a command and hand back its exit code as well, whatever it is. Errors: EXEC_NOT_FOUND, EXEC_EXHAUSTED, EXEC_TIMEOUT, EXEC_FAILED (killed by a signal). */
export async function tryExecute(
  argv: readonly [string, ...string[]],
  options: ExecuteOptions = {},
): Promise<Executed> {
  // Loaded late: commands that start no process must not pay for it.
  const { execa } = await import('execa')
  const launch = launched(argv, options)
  const child = execa(launch.argv[0], launch.argv.slice(1), {
    reject: false,
    stdin: options.input === undefined ? 'ignore' : 'pipe',
    extendEnv: launch.environment === undefined,
    stripFinalNewline: options.isOutputSecret !== true,
    maxBuffer: 64 * 1024 * 1024,
    forceKillAfterDelay: 2000,
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(launch.environment === undefined ? {} : { env: launch.environment }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  })
  if (options.onLine !== undefined) {
    const onLine = options.onLine
    await Promise.all([
      eachLine(child.iterable({ from: 'stdout' }), line => onLine('stdout', line)),
      eachLine(child.iterable({ from: 'stderr' }), line => onLine('stderr', line)),
    ])
  }
  const result = await child
  const executed = {
    stdout: String(result.stdout ?? ''),
    stderr: String(result.stderr ?? ''),
    exitCode: result.exitCode ?? 1,
  }
  const shown = options.isOutputSecret === true ? '' : tail(executed)
  if (result.timedOut) {
    throw new ReleaseError('EXEC_TIMEOUT', `${describe(argv)} did not end within ${options.timeoutMs} ms${shown}`, {
      details: { command: describe(argv) },
    })
  }
  if (result.exitCode === undefined) {
    if (result.code === 'ENOENT')
      throw new ReleaseError('EXEC_NOT_FOUND', `${launch.argv[0]} was not found`, {
        details: { command: launch.argv[0] },
      })
    if (exhaustion.has(result.code ?? '')) {
      throw new ReleaseError('EXEC_EXHAUSTED', `${describe(argv)} could not be started: ${result.code}`, {
        details: { command: describe(argv), errno: result.code },
      })
    }
    const how =
      result.signal === undefined ? (result.shortMessage ?? 'could not be started') : `was ended by ${result.signal}`
    throw new ReleaseError('EXEC_FAILED', `${describe(argv)} ${how}${shown}`, {
      ...(options.isOutputSecret === true ? {} : { cause: result }),
      details: { command: describe(argv), signal: result.signal },
    })
  }
  // A program that starts another tells so in its own words.
  if (launch.argv[0] !== argv[0] && result.exitCode === 127)
    throw new ReleaseError('EXEC_NOT_FOUND', `${argv[0]} was not found${shown}`, {
      details: { command: argv[0] },
    })
  return executed
}

/** What keeps any command from being started, and is no fault of this one. */
const exhaustion: ReadonlySet<string> = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM'])

/** The program to start and its environment: undefined inherits ours. */
function launched(argv: readonly [string, ...string[]], options: ExecuteOptions) {
  const { umask, account, environment, within = [] } = options
  const masked: readonly [string, ...string[]] =
    umask === undefined
      ? argv
      : ['/bin/sh', '-c', `umask ${umask.toString(8).padStart(4, '0')}; exec "$@"`, 'sh', ...argv]
  const launch = account === undefined ? undefined : launchAs(account, { argv: masked, environment: environment ?? {} })
  return {
    argv: [...within, ...(launch?.argv ?? masked)] as [string, ...string[]],
    environment: launch?.environment ?? environment,
  }
}

async function eachLine(lines: AsyncIterable<unknown>, take: (line: string) => void): Promise<void> {
  try {
    for await (const line of lines) take(String(line))
  } catch {
    // The iterable rejects when the command fails; the awaited result says so with more to go on.
  }
}

/** Write a command as a person would type it. */
export function describe(argv: readonly string[]): string {
  return argv.map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ')
}

function tail(result: { readonly stdout: string; readonly stderr: string }): string {
  const lines = stripVTControlCharacters(`${result.stdout}\n${result.stderr}`)
    .split('\n')
    .filter(line => line.trim() !== '')
  return lines.length === 0 ? '' : `\n${lines.slice(-8).join('\n')}`
}
