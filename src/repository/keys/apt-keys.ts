import { ReleaseError } from '../../core/error.ts'
import type { AptKeyFile } from './key-file.ts'

/** An OpenPGP public key of an apt repository. */
export interface AptPublicKey {
  readonly fingerprint: string
  /** Armoured. */
  readonly publicKey: string
}

/** Read the keys of a block as `Signed-By` has it. Errors: KEY_INVALID. */
export async function readAptKeys(block: string): Promise<readonly AptPublicKey[]> {
  const { readKeys } = await import('openpgp')
  try {
    const keys = await readKeys({ armoredKeys: block })
    return keys.map(key => ({ fingerprint: key.getFingerprint(), publicKey: key.armor() }))
  } catch (caught) {
    throw new ReleaseError('KEY_INVALID', 'the OpenPGP keys of the repository cannot be read', {
      hint: 'repository.json has others than were made by `release keys`: find out who wrote it',
      cause: caught,
    })
  }
}

/**
 * Choose the OpenPGP keys at hand that a repository names to apt: one that is not published yet, or no more, signs nothing.
 *
 * Post: one key alone signs, whatever the repository names: reading keyrings loads a library that takes longer than to publish.
 * Errors: KEY_MISMATCH (none of several is), KEY_INVALID.
 */
export async function trustedAptKeys(keys: readonly AptKeyFile[], block: string): Promise<readonly AptKeyFile[]> {
  if (keys.length === 1) return keys
  const trusted = (await readAptKeys(block)).map(({ fingerprint }) => fingerprint)
  const able = keys.filter(({ fingerprint }) => trusted.includes(fingerprint))
  if (able.length > 0) return able
  const found = keys.map(({ fingerprint }) => fingerprint)
  throw new ReleaseError(
    'KEY_MISMATCH',
    `the keys for apt are ${found.join(', ')}, the repository names ${trusted.join(', ')}`,
    { details: { role: 'apt', found, trusted } },
  )
}
