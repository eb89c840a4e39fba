import { isErrno, toReleaseError } from '../core/error.ts'

/** One of the two streams that people and programs read. */
export interface Output {
  readonly write: (text: string) => unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** The process as commands see it; tests pass their own. */
export interface Io {
  readonly stdout: Output
  readonly stderr: Output
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

/** Options that every command has. */
export interface GlobalOptions {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly verbose?: boolean
}

/**
 * The process that we are, as commands see it.
 *
 * Post: output that cannot be written stops nothing: an installation that logs to a full disk still lets requests through. That a reader
 * has closed our output early (`release list | head -1`) is no failure; anything else is told at the end, with exit code 1.
 */
export function processIo(): Io {
  let failed = false
  for (const name of ['stdout', 'stderr'] as const) {
    process[name].on('error', caught => {
      if (failed || isErrno(caught, 'EPIPE')) return
      failed = true
      process.once('exit', () => tellUnwritten(name, caught))
    })
  }
  return { stdout: process.stdout, stderr: process.stderr, environment: process.env, cwd: currentFolder() }
}

function tellUnwritten(name: string, caught: Error): void {
  process.exitCode ||= 1
  const { code, message, hint } = toReleaseError(caught)
  process.stderr.write(`error ${code}: ${name} was not written to its end: ${message}\nhint: ${hint}\n`)
}

/** The folder that we are in; where it was, when it has been removed since. */
function currentFolder(): string {
  try {
    return process.cwd()
  } catch (caught) {
    if (!isErrno(caught, 'ENOENT')) throw caught
    return process.env['PWD'] ?? '/'
  }
}
