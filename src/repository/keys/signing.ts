import { defaultLifetimesDays, type Signing } from '../tuf/metadata.ts'
import { type TufSigner, tufSigner } from '../tuf/signer.ts'
import type { KeyFolder } from './folder.ts'
import type { TufKeyFile } from './key-file.ts'

/**
 * Sign with the keys of a folder, each read when a role first needs it.
 *
 * `newKeys` are taken before the folder's: keys of a plan that is only shown are never stored.
 */
export function signingWith(
  keys: KeyFolder,
  options: { readonly nowMs: number; readonly newKeys?: readonly TufKeyFile[] },
): Signing {
  const signers = new Map<string, TufSigner>((options.newKeys ?? []).map(key => [key.role, tufSigner(key)]))
  const signer = (role: string): TufSigner => {
    const known = signers.get(role) ?? tufSigner(keys.tuf(role))
    signers.set(role, known)
    return known
  }
  return { signer, nowMs: options.nowMs, lifetimesDays: defaultLifetimesDays }
}
