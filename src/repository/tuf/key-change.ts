import { ReleaseError } from '../../core/error.ts'
import { applicationRole } from '../../trust/layout.ts'
import { delegatedAuthority, type TopLevelRole, topLevelRoles } from './authority.ts'
import { type Signatories, withApplications } from './delegation.ts'
import type { Delegations } from './format.ts'
import { type RootRoles, rootRoles } from './root.ts'
import { keyIdOf } from './signer.ts'
import type { TufState } from './state.ts'

/** Who is to sign for which roles from now on, by the names of roles. */
export type SignatoryChange = ReadonlyMap<string, Signatories>

/** Tell whether root metadata names the keys of a role; the others are applications'. */
export function isTopLevel(role: string): role is TopLevelRole {
  return topLevelRoles.some(name => name === role)
}

/** The application that a delegated role is for. */
export const applicationOf = (role: string): string => role.slice(applicationRole('').length)

/** Read who signs for a role. Errors: USAGE (there is no such role). */
export function signatoriesOf(state: TufState, role: string): Signatories {
  if (isTopLevel(role)) return rootRoles(state.root)[role]
  const authority = delegatedAuthority(state.targets.delegations, role)
  if (authority !== undefined) return { publicKeys: [...authority.keys.values()], threshold: authority.threshold }
  const known = [...topLevelRoles, ...state.targets.delegations.roles.map(({ name }) => applicationOf(name))]
  throw new ReleaseError('USAGE', `the repository has no role ${role}`, {
    hint: `choose one of ${known.join(', ')}, or apt`,
  })
}

/** The roles that a key signs for. */
export function rolesOf(state: TufState, keyId: string): readonly string[] {
  const roles = rootRoles(state.root)
  const top = topLevelRoles.filter(role => roles[role].publicKeys.map(keyIdOf).includes(keyId))
  const delegated = state.targets.delegations.roles.filter(({ keyids }) => keyids.includes(keyId))
  return [...top, ...delegated.map(({ name }) => name)]
}

/** Add a key to those of a role; one that is there already changes nothing. */
export function withKey({ publicKeys, threshold }: Signatories, publicKey: string): Signatories {
  return publicKeys.includes(publicKey)
    ? { publicKeys, threshold }
    : { publicKeys: [...publicKeys, publicKey], threshold }
}

/** Take a key from those of a role. Errors: USAGE (fewer than must sign would be left). */
export function withoutKey(role: string, { publicKeys, threshold }: Signatories, keyId: string): Signatories {
  const left = publicKeys.filter(publicKey => keyIdOf(publicKey) !== keyId)
  if (left.length >= threshold) return { publicKeys: left, threshold }
  throw new ReleaseError(
    'USAGE',
    `without ${keyId} ${left.length} keys would be left for ${role}, and ${threshold} must sign`,
    { hint: 'put another in its place at once with --replace', details: { role, threshold, left: left.length } },
  )
}

/** What a change means for the root; undefined when it is none of its affair. */
export function changedRoot(state: TufState, change: SignatoryChange): RootRoles | undefined {
  const top = [...change].filter(([role]) => isTopLevel(role))
  return top.length === 0 ? undefined : { ...rootRoles(state.root), ...Object.fromEntries(top) }
}

/** What a change means for the delegations; undefined when it is none of their affair. */
export function changedDelegations(state: TufState, change: SignatoryChange): Delegations | undefined {
  const delegated = [...change].filter(([role]) => !isTopLevel(role))
  if (delegated.length === 0) return undefined
  return withApplications(
    state.targets.delegations,
    new Map(delegated.map(([role, signatories]) => [applicationOf(role), signatories])),
  )
}
