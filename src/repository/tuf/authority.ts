import { createPublicKey, verify } from 'node:crypto'
import type { Metadata, Root } from '@tufjs/models'
import { canonicalJson } from '../../core/canonical-json.ts'
import { ReleaseError } from '../../core/error.ts'
import type { DelegatedRole, Delegations, SignedFile } from './format.ts'

/** Who may sign for a role: so many of these keys. */
export interface Authority {
  readonly role: string
  /** ed25519 public keys in hex, by key id; keys of other kinds are left out, for nothing of ours signs with them. */
  readonly keys: ReadonlyMap<string, string>
  readonly threshold: number
}

/** The four roles that root metadata names keys for. */
export const topLevelRoles = ['root', 'targets', 'snapshot', 'timestamp'] as const
/** One of {@link topLevelRoles}. */
export type TopLevelRole = (typeof topLevelRoles)[number]

/** Who may sign for a top-level role. */
export function rootAuthority(root: Metadata<Root>, role: TopLevelRole): Authority {
  const { keyIDs, threshold } = root.signed.roles[role]!
  const keys = new Map<string, string>()
  for (const keyId of keyIDs) {
    const key = root.signed.keys[keyId]
    const value = key?.keyVal['public']
    if (key?.scheme === 'ed25519' && value !== undefined) keys.set(keyId, value)
  }
  return { role, keys, threshold }
}

/** Who may sign for a delegated role; undefined when it is not delegated. */
export function delegatedAuthority(delegations: Delegations, role: string): Authority | undefined {
  const delegated = delegations.roles.find(({ name }) => name === role)
  return delegated === undefined ? undefined : authorityOf(delegations, delegated)
}

/** Who may sign for each delegated role, by its name. */
export function delegatedAuthorities(delegations: Delegations): ReadonlyMap<string, Authority> {
  return new Map(delegations.roles.map(role => [role.name, authorityOf(delegations, role)]))
}

function authorityOf(delegations: Delegations, { name, keyids, threshold }: DelegatedRole): Authority {
  const keys = new Map<string, string>()
  for (const keyId of keyids) {
    const key = delegations.keys[keyId]
    if (key?.scheme === 'ed25519') keys.set(keyId, key.keyval.public)
  }
  return { role: name, keys, threshold }
}

/** Check that enough keys of a role signed. Errors: TRUST_SIGNATURE. Source: TUF §5.3.4 and its like. */
export function assertSigned(file: SignedFile<unknown>, authority: Authority, place: string): void {
  const bytes = signedPart(file.signed)
  const valid = countValid(bytes, file, authority)
  if (valid >= authority.threshold) return
  throw new ReleaseError(
    'TRUST_SIGNATURE',
    `${place} has ${valid} valid signatures for ${authority.role}, expected ${authority.threshold}`,
    { details: { role: authority.role, place } },
  )
}

/** Tell whether enough keys of a role signed. */
export function isSigned(file: SignedFile<unknown>, authority: Authority): boolean {
  return countValid(signedPart(file.signed), file, authority) >= authority.threshold
}

/** The bytes that a signature is made over. Pre: texts have no control characters, in which TUF's canonical form differs. */
export function signedPart(signed: unknown): Buffer {
  return Buffer.from(canonicalJson(signed))
}

function countValid(bytes: Buffer, file: SignedFile<unknown>, { keys }: Authority): number {
  const signers = new Set<string>()
  for (const { keyid, sig } of file.signatures) {
    const publicKey = keys.get(keyid)
    if (publicKey !== undefined && isValid(bytes, publicKey, sig)) signers.add(publicKey)
  }
  return signers.size
}

/** Check one signature. Source: RFC 8032; a key of another length is no key. */
export function isValid(bytes: Buffer, publicKey: string, signature: string): boolean {
  if (!/^[0-9a-f]{64}$/.test(publicKey) || !/^[0-9a-f]{128}$/.test(signature)) return false
  const x = Buffer.from(publicKey, 'hex').toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  return verify(undefined, bytes, key, Buffer.from(signature, 'hex'))
}
