import { isErrno, toReleaseError } from '../core/error.ts'
import type { Io } from './run.ts'

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
