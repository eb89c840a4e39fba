import type { LifetimesDays } from '../../trust/layout.ts'
import type { Authority } from '../tuf/authority.ts'
import { defaultLifetimesDays } from '../tuf/expiry.ts'
import type { Signing } from '../tuf/metadata.ts'
import { keyIdOf, type TufSigner, tufSigner } from '../tuf/signer.ts'
import type { KeyFolder } from './folder.ts'
import type { TufKeyFile } from './key-file.ts'

/**
 * Sign with the keys at hand, each opened when it first signs.
 *
 * `newKeys` are taken beside the folder's: keys of a plan that is only shown are never stored.
 */
export function signingWith(
  keys: KeyFolder,
  options: {
    readonly nowMs: number
    readonly newKeys?: readonly TufKeyFile[]
    readonly lifetimesDays?: LifetimesDays
  },
): Signing {
  const known = new Map<string, readonly TufSigner[]>()
  const read = (role: string): readonly TufSigner[] => {
    const added = (options.newKeys ?? []).filter(key => key.role === role)
    const ids = new Set(added.map(key => keyIdOf(key.publicKey)))
    const stored = keys.tuf(role).filter(key => !ids.has(key.keyId))
    return [
      ...added.map(key => tufSigner(key.publicKey, () => key)),
      ...stored.map(key => tufSigner(key.publicKey, key.open)),
    ]
  }
  const signers = (role: string): readonly TufSigner[] => {
    const found = known.get(role) ?? read(role)
    known.set(role, found)
    return found
  }
  return { signers, nowMs: options.nowMs, lifetimesDays: options.lifetimesDays ?? defaultLifetimesDays }
}

/** Tell whether enough keys at hand are trusted to sign for a role. */
export function canSign(keys: KeyFolder, { role, keys: trusted, threshold }: Authority): boolean {
  return keys.tuf(role).filter(({ keyId }) => trusted.has(keyId)).length >= threshold
}
