import fs from 'node:fs'
import { ReleaseError, toReleaseError } from '../../core/error.ts'
import { assertPrivate } from './private.ts'

/** Where the passphrase of encrypted keys comes from: never from the command line or the environment itself, which others can read. */
export interface PassphraseOptions {
  /** A file that only its owner can read. */
  readonly passphraseFile?: string | undefined
  /** An open descriptor of this process. */
  readonly passphraseFd?: number | undefined
}

/** Gives the passphrase; it is read once, when a key is first opened. Errors: KEY_PASSPHRASE, KEY_PERMISSIONS, FILE_IO. */
export type Passphrase = () => string

/**
 * Find where the passphrase is: a descriptor, else a file, else the file that CUTOVER_PASSPHRASE_FILE names.
 *
 * Post: a passphrase ends before its last line break. Errors (when read): KEY_PASSPHRASE (none was given, or an empty one).
 */
export function passphraseFrom(
  options: PassphraseOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Passphrase {
  let known: string | undefined
  return () => {
    known ??= read(options, environment['CUTOVER_PASSPHRASE_FILE'])
    return known
  }
}

function read({ passphraseFile, passphraseFd }: PassphraseOptions, named: string | undefined): string {
  const file = passphraseFile ?? named
  if (passphraseFd !== undefined) return notEmpty(readText(passphraseFd), `descriptor ${passphraseFd}`)
  if (file === undefined) throw new ReleaseError('KEY_PASSPHRASE', 'a key is encrypted, and no passphrase was given')
  // A pipe or a terminal has no mode to speak of.
  if (fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true) assertPrivate(file, 'passphrase', 0o600)
  return notEmpty(readText(file), file)
}

function readText(place: string | number): string {
  try {
    return fs.readFileSync(place, 'utf8').replace(/\r?\n$/, '')
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

function notEmpty(text: string, place: string): string {
  if (text !== '') return text
  throw new ReleaseError('KEY_PASSPHRASE', `${place} holds no passphrase`, { details: { path: place } })
}
