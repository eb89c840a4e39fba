import { ReleaseError } from '../../core/error.ts'
import { parseKeyFile, type StoredKeyFile } from './key-file.ts'

/** The environment of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What `release` takes from the environment in CI, where no file may hold a key. */
export interface EnvironmentKeys {
  readonly keys: readonly { readonly place: string; readonly key: StoredKeyFile }[]
  /** The content of a `trusted-root.json`. */
  readonly trustedRoot: string | undefined
  /** No state with an older timestamp is taken. */
  readonly seenTimestamp: number
}

const keyPrefix = 'CUTOVER_KEY_'

/**
 * Read the keys that the environment holds: `CUTOVER_KEY_*` are contents of key files, whatever follows the prefix; the role is in the
 * content. They are never written to disk. Errors: KEY_INVALID, DOCUMENT_NEWER, with the variable's name alone.
 */
export function keysFromEnvironment(environment: Environment): EnvironmentKeys {
  const keys: { readonly place: string; readonly key: StoredKeyFile }[] = []
  for (const [name, text] of Object.entries(environment)) {
    if (name.startsWith(keyPrefix) && text) keys.push({ place: `$${name}`, key: parseKeyFile(text, `$${name}`) })
  }
  return {
    keys,
    trustedRoot: environment['CUTOVER_TRUSTED_ROOT'] || undefined,
    seenTimestamp: parseSeen(environment['CUTOVER_SEEN_TIMESTAMP']),
  }
}

/** Leave out what must not reach a process that is started: git, a build, a hook. */
export function withoutKeys(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith(keyPrefix)))
}

function parseSeen(text: string | undefined): number {
  if (text === undefined || text === '') return 0
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new ReleaseError('USAGE', 'CUTOVER_SEEN_TIMESTAMP is not a number', {
    hint: 'set it to the number of the newest timestamp that was seen, or leave it out',
  })
}
