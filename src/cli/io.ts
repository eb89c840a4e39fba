import { isErrno } from '../core/error.ts'
import type { Io } from './run.ts'

/**
 * The process that we are, as commands see it.
 *
 * Post: a reader that closes our output early (`release list | head -1`) changes nothing: what was begun is finished unheard.
 */
export function processIo(): Io {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', caught => {
      if (!isErrno(caught, 'EPIPE')) throw caught
    })
  }
  return { stdout: process.stdout, stderr: process.stderr, environment: process.env, cwd: process.cwd() }
}
