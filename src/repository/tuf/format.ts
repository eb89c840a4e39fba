import { ReleaseError } from '../../core/error.ts'

/*
 * TUF's files as they are written, for the roles that grow with a repository. The classes of @tufjs/models copy a whole map for each
 * of its entries, parsing and writing: 10,000 applications take them twelve seconds for one snapshot, and this file none to speak
 * of. Root metadata is small and stays theirs, and so does everything that a client decides.
 */

/** A signed file. Source: TUF §4.2. */
export interface SignedFile<Signed> {
  readonly signatures: readonly SignatureEntry[]
  readonly signed: Signed
}

/** One signature, in hex. */
export interface SignatureEntry {
  readonly keyid: string
  readonly sig: string
}

interface Common {
  readonly spec_version: string
  readonly version: number
  readonly expires: string
}

/** Which file of a role belongs to a snapshot, or which snapshot to a timestamp. Source: TUF §4.4. */
export interface MetaEntry {
  readonly version: number
  readonly length?: number
  readonly hashes?: Readonly<Record<string, string>>
}

/** Source: TUF §4.6. */
export interface TimestampFile extends Common {
  readonly _type: 'timestamp'
  readonly meta: Readonly<Record<string, MetaEntry>>
}

/** Source: TUF §4.4. */
export interface SnapshotFile extends Common {
  readonly _type: 'snapshot'
  readonly meta: Readonly<Record<string, MetaEntry>>
}

/** Source: TUF §4.5. */
export interface TargetsFile extends Common {
  readonly _type: 'targets'
  readonly targets: Readonly<Record<string, TargetEntry>>
  readonly delegations?: Delegations
}

/** A target as its role lists it. */
export interface TargetEntry {
  readonly length: number
  readonly hashes: Readonly<Record<string, string>>
}

/** A public key. Source: TUF §4.2. */
export interface PublicKey {
  readonly keytype: string
  readonly scheme: string
  readonly keyval: { readonly public: string }
}

/** Which keys sign for which targets. Source: TUF §4.5. */
export interface Delegations {
  readonly keys: Readonly<Record<string, PublicKey>>
  readonly roles: readonly DelegatedRole[]
}

/** A role that a part of the targets is delegated to. */
export interface DelegatedRole {
  readonly name: string
  readonly keyids: readonly string[]
  readonly threshold: number
  readonly terminating: boolean
  readonly paths: readonly string[]
}

interface FileOfType {
  readonly timestamp: TimestampFile
  readonly snapshot: SnapshotFile
  readonly targets: TargetsFile
}

/** The specification that all metadata is written by. */
export const specVersion = '1.0.34'

/** Read a signed file of a type, checking the shape of what is used of it. Errors: TRUST_METADATA. */
export function parseSigned<Type extends keyof FileOfType>(
  bytes: Uint8Array,
  type: Type,
  place: string,
): SignedFile<FileOfType[Type]> {
  const file = parseObject(bytes, place)
  const { signed, signatures } = file
  if (!isObject(signed) || !Array.isArray(signatures)) throw malformed(place, 'signed or signatures is missing')
  if (signed['_type'] !== type) throw malformed(place, `it is of type ${String(signed['_type'])}, expected ${type}`)
  const { version, expires } = signed
  if (!Number.isSafeInteger(version) || (version as number) < 1) throw malformed(place, 'it has no version')
  if (typeof expires !== 'string' || Number.isNaN(Date.parse(expires))) throw malformed(place, 'it has no expiry')
  assertSignatures(signatures, place)
  if (type === 'targets') assertTargets(signed, place)
  else assertMeta(signed['meta'], place)
  return { signatures, signed: signed as unknown as FileOfType[Type] }
}

function parseObject(bytes: Uint8Array, place: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (caught) {
    throw new ReleaseError('TRUST_METADATA', `${place} is not JSON`, { cause: caught })
  }
  if (isObject(value)) return value
  throw malformed(place, 'it is not an object')
}

function assertSignatures(signatures: readonly unknown[], place: string): void {
  const seen = new Set<unknown>()
  for (const entry of signatures) {
    if (!isObject(entry) || typeof entry['keyid'] !== 'string' || typeof entry['sig'] !== 'string') {
      throw malformed(place, 'a signature is not one')
    }
    // Source: TUF §4.2: "clients MUST ensure that each keyid is unique".
    if (seen.has(entry['keyid'])) throw malformed(place, `the key ${entry['keyid']} signs twice`)
    seen.add(entry['keyid'])
  }
}

function assertMeta(meta: unknown, place: string): void {
  if (!isObject(meta)) throw malformed(place, 'meta is missing')
  for (const [name, entry] of Object.entries(meta)) {
    if (!isObject(entry) || !Number.isSafeInteger(entry['version'])) throw malformed(place, `${name} has no version`)
    const { length, hashes } = entry
    if (length !== undefined && !Number.isSafeInteger(length)) throw malformed(place, `the length of ${name} is none`)
    if (hashes !== undefined && !isObject(hashes)) throw malformed(place, `the hashes of ${name} are none`)
  }
}

function assertTargets(signed: Readonly<Record<string, unknown>>, place: string): void {
  if (!isObject(signed['targets'])) throw malformed(place, 'targets is missing')
  for (const [name, entry] of Object.entries(signed['targets'])) {
    const hashes = isObject(entry) ? entry['hashes'] : undefined
    if (!isObject(entry) || !Number.isSafeInteger(entry['length']) || !isObject(hashes)) {
      throw malformed(place, `${name} has no length or hashes`)
    }
    if (!/^[0-9a-f]{64}$/.test(String(hashes['sha256']))) throw malformed(place, `${name} has no SHA-256`)
  }
  if (signed['delegations'] !== undefined) assertDelegations(signed['delegations'], place)
}

function assertDelegations(delegations: unknown, place: string): void {
  if (!isObject(delegations) || !isObject(delegations['keys']) || !Array.isArray(delegations['roles'])) {
    throw malformed(place, 'delegations are not as expected')
  }
  for (const [keyId, key] of Object.entries(delegations['keys'])) {
    const value = isObject(key) ? key['keyval'] : undefined
    if (!isObject(value) || typeof value['public'] !== 'string') throw malformed(place, `${keyId} is not a key`)
  }
  const names = new Set<unknown>()
  for (const role of delegations['roles']) {
    if (!isObject(role) || typeof role['name'] !== 'string' || !isTexts(role['keyids']) || !isTexts(role['paths'])) {
      throw malformed(place, 'a delegated role is not as expected')
    }
    if (!Number.isSafeInteger(role['threshold']) || (role['threshold'] as number) < 1) {
      throw malformed(place, `${role['name']} has no threshold`)
    }
    if (names.has(role['name'])) throw malformed(place, `${role['name']} is delegated twice`)
    names.add(role['name'])
  }
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(entry => typeof entry === 'string')
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function malformed(place: string, reason: string): ReleaseError {
  return new ReleaseError('TRUST_METADATA', `${place} cannot be used: ${reason}`, { details: { place } })
}
