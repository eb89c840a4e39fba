import { ReleaseError } from '../../core/error.ts'

/*
 * The format of the files in a keys folder. `schema` makes room for encrypted keys; a reader of today refuses those.
 */

/** An ed25519 key of one TUF role. `role` is only a label: what a key may sign is written in signed metadata. */
export interface TufKeyFile {
  readonly schema: 1
  readonly kind: 'tuf'
  readonly role: string
  /** Hex of the 32 bytes, as TUF metadata has it. */
  readonly publicKey: string
  /** PEM, PKCS #8. */
  readonly privateKey: string
}

/** The OpenPGP key of an apt repository, armoured. */
export interface AptKeyFile {
  readonly schema: 1
  readonly kind: 'openpgp'
  readonly fingerprint: string
  readonly publicKey: string
  readonly privateKey: string
}

/** Any key file. */
export type KeyFile = TufKeyFile | AptKeyFile

/** Read a key file. Errors: KEY_INVALID, DOCUMENT_NEWER. The text never appears in a message. */
export function parseKeyFile(text: string, place: string): KeyFile {
  const json = parseObject(text, place)
  if (typeof json.schema === 'number' && json.schema > 1) {
    throw new ReleaseError('DOCUMENT_NEWER', `${place} has schema ${json.schema}, this version reads 1`, {
      details: { path: place },
    })
  }
  const { kind, publicKey, privateKey } = json
  if (json.schema !== 1 || typeof publicKey !== 'string' || typeof privateKey !== 'string') throw invalid(place)
  if (kind === 'tuf' && typeof json.role === 'string' && /^[0-9a-f]{64}$/.test(publicKey)) {
    return { schema: 1, kind, role: json.role, publicKey, privateKey }
  }
  if (kind === 'openpgp' && typeof json.fingerprint === 'string' && /^[0-9a-f]{40,64}$/.test(json.fingerprint)) {
    return { schema: 1, kind, fingerprint: json.fingerprint, publicKey, privateKey }
  }
  throw invalid(place)
}

function parseObject(text: string, place: string): Partial<Record<keyof TufKeyFile | keyof AptKeyFile, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The cause is left out: a JSON error quotes what it stumbled over, which may be key material.
    throw invalid(place)
  }
  if (typeof value !== 'object' || value === null) throw invalid(place)
  return value
}

function invalid(place: string): ReleaseError {
  return new ReleaseError('KEY_INVALID', `${place} does not hold a key of ours`, { details: { path: place } })
}
