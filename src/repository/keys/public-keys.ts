import { stableJson } from '../../core/canonical-json.ts'
import { ReleaseError } from '../../core/error.ts'
import type { KeyFolder } from './folder.ts'

/** The public halves of keys, to be carried to where the root is made. */
export interface PublicKeys {
  readonly schema: 1
  readonly kind: 'public-keys'
  readonly keys: readonly PublicKeyEntry[]
}

/** A public key and what it is meant for. */
export interface PublicKeyEntry {
  readonly role: string
  /** Hex of the 32 bytes. */
  readonly publicKey: string
}

/** The public halves of all TUF keys of a folder. */
export function publicKeysOf(keys: KeyFolder): PublicKeys {
  const roles = keys.names().filter(name => name !== 'apt')
  const entries = roles.flatMap(role => keys.tuf(role).map(({ publicKey }) => ({ role, publicKey })))
  return { schema: 1, kind: 'public-keys', keys: entries }
}

/** Write public keys as they are carried. */
export function publicKeysText(keys: PublicKeys): string {
  return stableJson(keys)
}

/** Read public keys. Errors: KEY_INVALID, DOCUMENT_NEWER. */
export function parsePublicKeys(text: string, place: string): PublicKeys {
  const invalid = () =>
    new ReleaseError('KEY_INVALID', `${place} does not hold public keys`, {
      hint: 'make it with: release keys init --export FILE',
      details: { path: place },
    })
  let json: Partial<Record<string, unknown>> | null
  try {
    json = JSON.parse(text)
  } catch {
    // Somebody may have given the wrong file: a private key is not to be quoted.
    throw invalid()
  }
  const { schema, kind, keys } = json ?? {}
  if (typeof schema === 'number' && schema > 1) {
    throw new ReleaseError('DOCUMENT_NEWER', `${place} has schema ${schema}, this version reads 1`)
  }
  if (schema !== 1 || kind !== 'public-keys' || !Array.isArray(keys)) throw invalid()
  const entries = (keys as readonly (Partial<Record<string, unknown>> | null)[]).map((entry): PublicKeyEntry => {
    const { role, publicKey } = entry ?? {}
    if (typeof role !== 'string' || typeof publicKey !== 'string' || !/^[0-9a-f]{64}$/.test(publicKey)) throw invalid()
    return { role, publicKey }
  })
  return { schema: 1, kind: 'public-keys', keys: entries }
}
