import { applicationPaths, applicationRole } from '../../trust/layout.ts'
import type { DelegatedRole, Delegations, PublicKey } from './format.ts'
import { keyIdOf, publicKeyOf } from './signer.ts'

/** Who signs for a role: the public keys in hex, and how many of them must. */
export interface Signatories {
  readonly publicKeys: readonly string[]
  readonly threshold: number
}

/** Delegate applications to keys, whether or not they were before. Keys that no role uses any more go. */
export function withApplications(before: Delegations, applications: ReadonlyMap<string, Signatories>): Delegations {
  const roles = new Map(before.roles.map(role => [role.name, role]))
  const keys = new Map<string, PublicKey>(Object.entries(before.keys))
  for (const [application, signatories] of applications) {
    const role = delegatedRole(application, signatories)
    roles.set(role.name, role)
    for (const publicKey of signatories.publicKeys) keys.set(keyIdOf(publicKey), publicKeyOf(publicKey))
  }
  const used = new Set([...roles.values()].flatMap(({ keyids }) => keyids))
  return {
    keys: Object.fromEntries([...keys].filter(([keyId]) => used.has(keyId))),
    roles: [...roles.values()],
  }
}

function delegatedRole(application: string, { publicKeys, threshold }: Signatories): DelegatedRole {
  return {
    name: applicationRole(application),
    keyids: publicKeys.map(keyIdOf),
    threshold,
    terminating: true,
    paths: [...applicationPaths(application)],
  }
}
