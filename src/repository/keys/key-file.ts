import { ReleaseError } from '../../core/error.ts'
import { type Encryption, parseEncryption } from './encryption.ts'

/*
 * The format of key files. Schema 1 holds the private key as it is, schema 2 encrypted with a passphrase; both tell the public
 * half to everybody who may read the file.
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

/** Any key with its private half. */
export type KeyFile = TufKeyFile | AptKeyFile

/** A key whose private half is encrypted. */
export type EncryptedKeyFile = EncryptedForm<TufKeyFile> | EncryptedForm<AptKeyFile>

type EncryptedForm<Key extends KeyFile> = Omit<Key, 'schema' | 'privateKey'> & {
  readonly schema: 2
  readonly encryption: Encryption
  /** Base64 of the encrypted private key. */
  readonly privateKey: string
}

/** A key file as it is stored. */
export type StoredKeyFile = KeyFile | EncryptedKeyFile

/** Read a key file. Errors: KEY_INVALID, DOCUMENT_NEWER. The text never appears in a message. */
export function parseKeyFile(text: string, place: string): StoredKeyFile {
  const json = parseObject(text, place)
  if (typeof json.schema === 'number' && json.schema > 2) {
    throw new ReleaseError('DOCUMENT_NEWER', `${place} has schema ${json.schema}, this version reads 1 and 2`, {
      details: { path: place },
    })
  }
  const { schema, publicKey, privateKey } = json
  if (typeof publicKey !== 'string' || typeof privateKey !== 'string') throw invalid(place)
  const label = parseLabel(json, publicKey)
  if (label === undefined) throw invalid(place)
  if (schema === 1) return { schema, ...label, publicKey, privateKey }
  const encryption = schema === 2 ? parseEncryption(json.encryption) : undefined
  if (encryption === undefined) throw invalid(place)
  return { schema: 2, ...label, publicKey, encryption, privateKey }
}

type Label = Pick<TufKeyFile, 'kind' | 'role'> | Pick<AptKeyFile, 'kind' | 'fingerprint'>

function parseLabel({ kind, role, fingerprint }: Members, publicKey: string): Label | undefined {
  if (kind === 'tuf' && typeof role === 'string' && /^[0-9a-f]{64}$/.test(publicKey)) return { kind, role }
  if (kind === 'openpgp' && typeof fingerprint === 'string' && /^[0-9a-f]{40,64}$/.test(fingerprint)) {
    return { kind, fingerprint }
  }
  return undefined
}

type Members = Partial<Record<keyof TufKeyFile | keyof AptKeyFile | 'encryption', unknown>>

function parseObject(text: string, place: string): Members {
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
