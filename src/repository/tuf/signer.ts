import { createPrivateKey, sign } from 'node:crypto'
import { Key, Signature } from '@tufjs/models'
import { canonicalJson } from '../../core/canonical-json.ts'
import { digestOf, hexOf } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import type { TufKeyFile } from '../keys/key-file.ts'
import type { Authority } from './authority.ts'
import type { PublicKey } from './format.ts'

/** Something that signs metadata for a role. The private key is opened by the first signature. */
export interface TufSigner {
  readonly key: Key
  readonly sign: (bytes: Buffer) => Signature
}

/** Gives every key at hand for a role, trusted or not. */
export interface SignersOf {
  readonly signers: (role: string) => readonly TufSigner[]
}

/** The key of the public half of an ed25519 key, as metadata writes it. */
export function publicKeyOf(publicKey: string): PublicKey {
  return { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: publicKey } }
}

/** The id of an ed25519 key. Source: TUF §4.2 (the SHA-256 of the key's canonical form). */
export function keyIdOf(publicKey: string): string {
  return hexOf(digestOf(canonicalJson(publicKeyOf(publicKey))))
}

/** Make a signer; `open` gives the private key when it is first needed. Source: RFC 8032. */
export function tufSigner(publicKey: string, open: () => TufKeyFile): TufSigner {
  const keyID = keyIdOf(publicKey)
  const { keytype, scheme, keyval } = publicKeyOf(publicKey)
  const key = new Key({ keyID, keyType: keytype, scheme, keyVal: { public: keyval.public } })
  let privateKey: ReturnType<typeof createPrivateKey> | undefined
  return {
    key,
    sign: bytes => {
      privateKey ??= createPrivateKey(open().privateKey)
      return new Signature({ keyID, sig: sign(undefined, bytes, privateKey).toString('hex') })
    },
  }
}

/**
 * Choose the keys at hand that a role trusts: all of them, for a signature too many does no harm.
 *
 * Errors: KEY_MISSING (none is at hand), KEY_MISMATCH (none of those at hand is trusted), KEY_THRESHOLD (too few are).
 */
export function trustedSigners(
  authority: Authority,
  signing: SignersOf,
  hint = elsewhereHint(authority.role),
): readonly TufSigner[] {
  const { role, keys, threshold } = authority
  const atHand = signing.signers(role)
  const trusted = atHand.filter(({ key }) => keys.has(key.keyID))
  if (trusted.length >= threshold) return trusted
  const details = { role, threshold, atHand: trusted.length, trusted: [...keys.keys()] }
  if (atHand.length === 0) {
    throw new ReleaseError('KEY_MISSING', `no key for ${role} is at hand, ${threshold} must sign`, { hint, details })
  }
  if (trusted.length === 0) {
    const found = atHand.map(({ key }) => key.keyID)
    throw new ReleaseError(
      'KEY_MISMATCH',
      `the key for ${role} is ${found.join(', ')}, the repository trusts ${[...keys.keys()].join(', ') || 'none'}`,
      { details: { ...details, found } },
    )
  }
  throw new ReleaseError(
    'KEY_THRESHOLD',
    `${role} must be signed by ${threshold} keys, and ${trusted.length} of those that it trusts ${trusted.length === 1 ? 'is' : 'are'} at hand`,
    { hint, details },
  )
}

function elsewhereHint(role: string): string {
  if (role !== 'root' && role !== 'targets') return 'give the folder that has them with --keys, or set CUTOVER_KEY_…'
  return 'if they are kept elsewhere, run this command again with --payload FILE: it says how to have that signed'
}
