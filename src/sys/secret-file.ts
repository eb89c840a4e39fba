import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError, toReleaseError } from '../core/error.ts'

const largestSecretBytes = 64 * 1024

/**
 * Read a secret from a file, without the line break at its end.
 *
 * Whether others may read it is not looked at: where secrets are mounted, they are the container's alone and have mode 0444.
 * Errors: KEY_INVALID (empty, too long, not a file), FILE_IO. Its content is in none of them.
 */
export function readSecret(file: string, cwd: string): string {
  const place = path.resolve(cwd, file)
  let bytes: Buffer
  try {
    const descriptor = fs.openSync(place, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    try {
      const stat = fs.fstatSync(descriptor)
      if (!stat.isFile() || stat.size > largestSecretBytes) throw invalid(place)
      bytes = fs.readFileSync(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
  } catch (caught) {
    throw toReleaseError(caught)
  }
  const text = bytes.toString('utf8').replace(/\r?\n$/, '')
  if (text === '') throw invalid(place)
  return text
}

function invalid(file: string): ReleaseError {
  return new ReleaseError('KEY_INVALID', `${file} holds no secret`, { details: { path: file } })
}
