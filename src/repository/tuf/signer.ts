import { createPrivateKey, sign } from 'node:crypto'
import { Key, Signature } from '@tufjs/models'
import { canonicalJson } from '../../core/canonical-json.ts'
import { digestOf, hexOf } from '../../core/digest.ts'
import type { TufKeyFile } from '../keys/key-file.ts'

/** Something that signs metadata for a role. */
export interface TufSigner {
  readonly key: Key
  readonly sign: (bytes: Buffer) => Signature
}

/** Make a signer of a key file. Source: TUF §4.2 (keyid is the SHA-256 of the key's canonical form), RFC 8032. */
export function tufSigner(file: TufKeyFile): TufSigner {
  const body = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: file.publicKey } }
  const keyID = hexOf(digestOf(canonicalJson(body)))
  const key = new Key({ keyID, keyType: body.keytype, scheme: body.scheme, keyVal: body.keyval })
  const privateKey = createPrivateKey(file.privateKey)
  return {
    key,
    sign: bytes => new Signature({ keyID, sig: sign(undefined, bytes, privateKey).toString('hex') }),
  }
}
