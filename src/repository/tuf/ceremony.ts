import { Metadata, MetadataKind, type Root } from '@tufjs/models'
import { canonicalJson, stableJson } from '../../core/canonical-json.ts'
import { type Digest, digestOf, hexOf } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import { repositoryFile } from '../../trust/layout.ts'
import { verifyRoot } from '../../trust/root.ts'
import { type Authority, assertSigned, isValid, rootAuthority } from './authority.ts'
import { parseSigned, type TargetsFile } from './format.ts'
import type { RootPart } from './root.ts'
import { keyIdOf, type TufSigner } from './signer.ts'
import type { TufState } from './state.ts'

/*
 * A ceremony in files: what is to be signed goes to where the keys are and comes back as signatures. Whoever signs sees what the bytes say,
 * worked out from them on the spot: nothing that an exporting machine says of them is believed.
 */

/** The exact bytes to sign, with what they follow. */
export interface SigningPayload {
  readonly schema: 1
  readonly kind: 'signing-payload'
  readonly role: 'root' | 'targets'
  /** The present root.json as it is stored; null before the first. */
  readonly root: string | null
  /** The present targets as they are stored, when these are replaced; null before the first. */
  readonly targets: string | null
  /** The repository.json that the new targets list: whoever signs reads it, whoever imports publishes it. Null for a root. */
  readonly description: string | null
  /** The signed part in its canonical form: what signatures are made over. */
  readonly signed: string
}

/** Signatures for a payload. */
export interface SignatureFile {
  readonly schema: 1
  readonly kind: 'signatures'
  /** Of the payload's `signed`. */
  readonly digest: Digest
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[]
}

/** Make a payload of a root that follows a state; `state` is absent before the first root. */
export function rootPayloadOf(signed: RootPart, state: Pick<TufState, 'rootBytes'> | undefined): SigningPayload {
  const root = state?.rootBytes.toString() ?? null
  return { ...header, role: 'root', root, targets: null, description: null, signed: canonicalJson(signed) }
}

/** Make a payload of top-level targets that follow a state. Pre: `description` is the repository.json that they list. */
export function targetsPayloadOf(
  signed: TargetsFile,
  description: Buffer,
  state: Pick<TufState, 'rootBytes' | 'targets'>,
): SigningPayload {
  return {
    ...header,
    role: 'targets',
    root: state.rootBytes.toString(),
    targets: targetsText(state),
    description: description.toString(),
    signed: canonicalJson(signed),
  }
}

/** Tell whether a payload follows a state: what it replaces is what is there now. */
export function isFollowing(payload: SigningPayload, state: Pick<TufState, 'rootBytes' | 'targets'>): boolean {
  if (payload.role === 'root') return payload.root === state.rootBytes.toString()
  return payload.targets === targetsText(state)
}

const header = { schema: 1, kind: 'signing-payload' } as const

const targetsText = ({ targets: { file } }: Pick<TufState, 'targets'>): string | null =>
  file === undefined ? null : canonicalJson(file)

/** Write a payload or signatures as they are carried. */
export function ceremonyText(file: SigningPayload | SignatureFile): string {
  return stableJson(file)
}

/** What people compare on both machines. */
export function payloadDigest({ signed }: SigningPayload): Digest {
  return digestOf(signed)
}

/** Read a payload. Errors: DOCUMENT_INVALID, DOCUMENT_NEWER; TRUST_SIGNATURE (its root does not sign itself, or not its targets). */
export function parsePayload(text: string, place: string): SigningPayload {
  const json = parseDocument(text, place, 'signing-payload')
  const { role, root, targets, description, signed } = json
  if ((role !== 'root' && role !== 'targets') || typeof signed !== 'string') throw invalid(place)
  if (!isTextOrNull(root) || !isTextOrNull(targets) || !isTextOrNull(description)) throw invalid(place)
  if (role === 'targets' ? root === null : targets !== null || description !== null) throw invalid(place)
  const payload: SigningPayload = { ...header, role, root, targets, description, signed }
  const part = parsePart(signed, place)
  // Two spellings of one content would have two signatures.
  if (canonicalJson(part) !== signed || part['_type'] !== role) throw invalid(place)
  if (role === 'targets') assertDescribed(payload, place)
  const authorities = authoritiesOf(payload)
  // What changes is told from the present targets: they must be those that the root's keys signed.
  if (targets !== null) assertSigned(parseSigned(Buffer.from(targets), 'targets', place), authorities[0]!, place)
  return payload
}

/** Read targets that nobody has signed yet. Errors: TRUST_METADATA. */
export function unsignedTargets(signed: string, place: string): TargetsFile {
  return parseSigned(Buffer.from(`{"signatures":[],"signed":${signed}}`), 'targets', place).signed
}

/** What is shown of a payload must be what its targets list. */
function assertDescribed({ signed, description }: SigningPayload, place: string): void {
  const listed = unsignedTargets(signed, place).targets[repositoryFile]
  if (description === null || listed?.hashes['sha256'] !== hexOf(digestOf(description))) throw invalid(place)
}

/** Read signatures. Errors: DOCUMENT_INVALID, DOCUMENT_NEWER. */
export function parseSignatures(text: string, place: string): SignatureFile {
  const { digest, signatures } = parseDocument(text, place, 'signatures')
  if (typeof digest !== 'string' || !Array.isArray(signatures)) throw invalid(place)
  for (const entry of signatures as readonly Partial<Record<string, unknown>>[]) {
    if (typeof entry?.['keyid'] !== 'string' || typeof entry['sig'] !== 'string') throw invalid(place)
  }
  return { schema: 1, kind: 'signatures', digest: digest as Digest, signatures }
}

/** Who must sign a payload: of each so many. A root is signed by the keys before and by its own. Source: TUF §6.1. */
export function authoritiesOf(payload: SigningPayload): readonly Authority[] {
  const present = payload.root === null ? undefined : verifyRoot(Buffer.from(payload.root), 'the payload')
  if (payload.role === 'targets') return [rootAuthority(present!, 'targets')]
  const next = unsignedRoot(payload.signed)
  const own = rootAuthority(next, 'root')
  return present === undefined ? [own] : [rootAuthority(present, 'root'), own]
}

/** Read a root that nobody has signed yet. Errors: DOCUMENT_INVALID. */
export function unsignedRoot(signed: string): Metadata<Root> {
  try {
    return Metadata.fromJSON(MetadataKind.Root, { signatures: [], signed: JSON.parse(signed) })
  } catch (caught) {
    throw new ReleaseError('DOCUMENT_INVALID', 'the root in the payload cannot be used', { cause: caught })
  }
}

/** Sign a payload with the keys at hand that may. Errors: KEY_MISMATCH (none of them may). */
export function signPayload(payload: SigningPayload, signers: readonly TufSigner[]): SignatureFile {
  const authorities = authoritiesOf(payload)
  const able = signers.filter(({ key }) => authorities.some(({ keys }) => keys.has(key.keyID)))
  if (able.length === 0) {
    const trusted = authorities.flatMap(({ keys }) => [...keys.keys()])
    throw new ReleaseError(
      'KEY_MISMATCH',
      `none of the keys here signs for ${payload.role}, expected one of ${[...new Set(trusted)].join(', ')}`,
      { hint: 'give the folder that has one of them with --keys', details: { role: payload.role, trusted } },
    )
  }
  const bytes = Buffer.from(payload.signed)
  const signatures = able.map(signer => ({ keyid: signer.key.keyID, sig: signer.sign(bytes).sig }))
  return { schema: 1, kind: 'signatures', digest: payloadDigest(payload), signatures }
}

/**
 * Put signatures to what they sign. Post: enough of the right keys signed; a signature that is not good is left out.
 *
 * Errors: TRUST_MISMATCH (signatures of another payload), KEY_THRESHOLD (too few, with who is missing).
 */
export function assemble(payload: SigningPayload, files: readonly SignatureFile[]): Buffer {
  const expected = payloadDigest(payload)
  const other = files.find(({ digest }) => digest !== expected)
  if (other !== undefined) {
    throw new ReleaseError('TRUST_MISMATCH', `signatures are for ${other.digest}, the payload is ${expected}`, {
      hint: 'import the payload that was signed, or have this one signed',
    })
  }
  const authorities = authoritiesOf(payload)
  const bytes = Buffer.from(payload.signed)
  const keys = new Map(authorities.flatMap(authority => [...authority.keys]))
  const good = new Map<string, string>()
  for (const { keyid, sig } of files.flatMap(({ signatures }) => signatures)) {
    const publicKey = keys.get(keyid)
    if (publicKey !== undefined && keyIdOf(publicKey) === keyid && isValid(bytes, publicKey, sig)) good.set(keyid, sig)
  }
  for (const authority of authorities) assertEnough(authority, good)
  const signatures = [...good].map(([keyid, sig]) => ({ keyid, sig }))
  return Buffer.from(`{"signatures":${JSON.stringify(signatures)},"signed":${payload.signed}}\n`)
}

function assertEnough({ role, keys, threshold }: Authority, good: ReadonlyMap<string, string>): void {
  const missing = [...keys.keys()].filter(keyId => !good.has(keyId))
  const signed = keys.size - missing.length
  if (signed >= threshold) return
  throw new ReleaseError(
    'KEY_THRESHOLD',
    `${signed} keys have signed for ${role}, ${threshold} must; missing are ${missing.join(', ')}`,
    { hint: 'have others sign: release keys sign', details: { role, threshold, atHand: signed, missing } },
  )
}

function parseDocument(text: string, place: string, kind: string): Readonly<Record<string, unknown>> {
  const json = parsePart(text, place)
  if (typeof json['schema'] === 'number' && json['schema'] > 1) {
    throw new ReleaseError('DOCUMENT_NEWER', `${place} has schema ${json['schema']}, this version reads 1`, {
      details: { path: place },
    })
  }
  if (json['schema'] === 1 && json['kind'] === kind) return json
  throw invalid(place)
}

function parsePart(text: string, place: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (caught) {
    throw new ReleaseError('DOCUMENT_INVALID', `${place} is not JSON`, {
      hint: ownFilesHint,
      cause: caught,
      details: { path: place },
    })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw invalid(place)
}

const ownFilesHint =
  'give the payload that `release keys export` or --payload wrote, and the signatures that `release keys sign` wrote'

const isTextOrNull = (value: unknown): value is string | null => value === null || typeof value === 'string'

function invalid(place: string): ReleaseError {
  return new ReleaseError('DOCUMENT_INVALID', `${place} is not what \`release keys\` writes`, {
    hint: ownFilesHint,
    details: { path: place },
  })
}
