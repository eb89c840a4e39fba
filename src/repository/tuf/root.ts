import type { Metadata, Root } from '@tufjs/models'
import { ReleaseError } from '../../core/error.ts'
import { rootAuthority, type TopLevelRole, topLevelRoles } from './authority.ts'
import type { Signatories } from './delegation.ts'
import { type Clocked, expiresAt } from './expiry.ts'
import { type PublicKey, specVersion } from './format.ts'
import { type Signing, signedBytes } from './metadata.ts'
import { keyIdOf, publicKeyOf, type TufSigner, trustedSigners } from './signer.ts'

/** Who signs for what, as a root says. */
export type RootRoles = Readonly<Record<TopLevelRole, Signatories>>

/** The signed part of a root. Source: TUF §4.3. */
export interface RootPart {
  readonly _type: 'root'
  readonly spec_version: string
  readonly version: number
  readonly expires: string
  readonly consistent_snapshot: true
  readonly keys: Readonly<Record<string, PublicKey>>
  readonly roles: Readonly<Record<string, { readonly keyids: readonly string[]; readonly threshold: number }>>
}

/** Read who signs for what in a root. Errors: KEY_INVALID (a key of another kind than ours, which the next root would lose). */
export function rootRoles(root: Metadata<Root>): RootRoles {
  const of = (role: TopLevelRole): Signatories => {
    const { keys, threshold } = rootAuthority(root, role)
    const strange = root.signed.roles[role]!.keyIDs.find(keyId => !keys.has(keyId))
    if (strange !== undefined) {
      throw new ReleaseError('KEY_INVALID', `the key ${strange} of ${role} is not ed25519, and cannot be kept`, {
        hint: 'make the next root with the tool that made this one',
        details: { role, keyId: strange },
      })
    }
    return { publicKeys: [...keys.values()], threshold }
  }
  return { root: of('root'), targets: of('targets'), snapshot: of('snapshot'), timestamp: of('timestamp') }
}

/** Write the signed part of a root. */
export function rootPart(version: number, roles: RootRoles, clocked: Clocked): RootPart {
  const publicKeys = topLevelRoles.flatMap(role => roles[role].publicKeys)
  return {
    _type: 'root',
    spec_version: specVersion,
    version,
    expires: expiresAt('root', clocked),
    consistent_snapshot: true,
    keys: Object.fromEntries(publicKeys.map(key => [keyIdOf(key), publicKeyOf(key)])),
    roles: Object.fromEntries(
      topLevelRoles.map(role => {
        const { publicKeys: of, threshold } = roles[role]
        return [role, { keyids: of.map(keyIdOf), threshold }]
      }),
    ),
  }
}

/** Make the first root of the keys at hand; each role's threshold is one unless `thresholds` says more. Errors: KEY_MISSING, KEY_THRESHOLD. */
export function firstRoot(signing: Signing, thresholds: Partial<Readonly<Record<TopLevelRole, number>>> = {}): Buffer {
  const of = (role: TopLevelRole): Signatories => {
    const publicKeys = signing.signers(role).map(({ key }) => key.keyVal['public']!)
    return { publicKeys, threshold: thresholds[role] ?? 1 }
  }
  const roles = { root: of('root'), targets: of('targets'), snapshot: of('snapshot'), timestamp: of('timestamp') }
  for (const role of topLevelRoles) trustedSigners(authorityOf(role, roles[role]), signing)
  return signedBytes(rootPart(1, roles, signing), trustedSigners(authorityOf('root', roles.root), signing))
}

/** Make the root that follows another. Errors: KEY_* (both the old and the new root keys must sign). Source: TUF §6.1. */
export function nextRoot(before: Metadata<Root>, roles: RootRoles, signing: Signing): Buffer {
  const signers = new Map<string, TufSigner>()
  for (const authority of [rootAuthority(before, 'root'), authorityOf('root', roles.root)]) {
    for (const signer of trustedSigners(authority, signing)) signers.set(signer.key.keyID, signer)
  }
  return signedBytes(rootPart(before.signed.version + 1, roles, signing), [...signers.values()])
}

function authorityOf(role: string, { publicKeys, threshold }: Signatories) {
  return { role, keys: new Map(publicKeys.map(key => [keyIdOf(key), key])), threshold }
}
