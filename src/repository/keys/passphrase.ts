import fs from 'node:fs'
import { ReleaseError, toReleaseError } from '../../core/error.ts'
import type { Environment } from './environment.ts'
import { assertPrivate } from './private.ts'

/** The variable that names the file with the passphrase: never the passphrase itself, for processes that are started inherit it. */
export const passphraseVariable = 'CUTOVER_PASSPHRASE_FILE'

/** Gives the passphrase; it is read once, when a key is first opened. Errors: KEY_PASSPHRASE, KEY_PERMISSIONS, KEY_MISSING, FILE_IO. */
export type Passphrase = () => string

/**
 * Find the passphrase of encrypted keys: in the file that the environment names, which may be a descriptor (`/dev/fd/3`).
 *
 * Post: a passphrase ends before its last line break. Errors (when read): KEY_PASSPHRASE (none was given, or an empty one).
 */
export function passphraseFrom(environment: Environment): Passphrase {
  let known: string | undefined
  return () => {
    known ??= readPassphrase(environment[passphraseVariable])
    return known
  }
}

function readPassphrase(file: string | undefined): string {
  if (file === undefined) throw new ReleaseError('KEY_PASSPHRASE', 'a key is encrypted, and no passphrase was given')
  // A pipe or a terminal has no mode to speak of.
  if (fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true) assertPrivate(file, 'passphrase', 0o600)
  const text = readText(file)
  if (text !== '') return text
  throw new ReleaseError('KEY_PASSPHRASE', `${file} holds no passphrase`, { details: { path: file } })
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
