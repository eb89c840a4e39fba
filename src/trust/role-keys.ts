import type { Delegations } from '@tufjs/models/dist/delegations.js'

/** The ed25519 keys that a delegated role may sign with: public keys in hex by their key id; none for a role that is not delegated. */
export function roleKeys(delegations: Delegations | undefined, role: string): ReadonlyMap<string, string> {
  const keys = new Map<string, string>()
  for (const keyId of delegations?.roles?.[role]?.keyIDs ?? []) {
    const key = delegations?.keys[keyId]
    const publicKey = key?.keyVal['public']
    if (key?.scheme === 'ed25519' && publicKey !== undefined) keys.set(keyId, publicKey)
  }
  return keys
}
