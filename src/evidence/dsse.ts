import { createPublicKey, verify } from 'node:crypto'
import { ReleaseError } from '../core/error.ts'

/** What signs: an ed25519 key under the name that TUF metadata gives it. */
export interface EnvelopeSigner {
  readonly keyId: string
  readonly sign: (bytes: Buffer) => Buffer
}

/** The type of an in-toto statement in an envelope, and the media type of one in a file. */
export const statementType = 'application/vnd.in-toto+json'
/** The media type of one envelope, which tools for images look for. */
export const envelopeType = 'application/vnd.dsse.envelope.v1+json'
/** The media type of a file of envelopes, one a line. Source: in-toto attestation bundle v1, storage convention. */
export const envelopesType = 'application/vnd.in-toto.bundle'

const maxEnvelopeBytes = 16 * 1024 * 1024

/** Write what is signed in place of a payload, so that its type is signed too. Source: DSSE protocol v1.0.2, PAE. */
export function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType)
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${type.byteLength} `),
    type,
    Buffer.from(` ${payload.byteLength} `),
    payload,
  ])
}

/**
 * Wrap a statement and sign it.
 *
 * Shape: one line of JSON, as a `.intoto.jsonl` file has them. Post: the same bytes for the same statement and key, for ed25519 is deterministic.
 * Source: DSSE envelope v1.0.2, RFC 8032.
 */
export function signStatement(statement: Uint8Array, signer: EnvelopeSigner): Buffer {
  const sig = signer.sign(preAuthenticationEncoding(statementType, statement)).toString('base64')
  const envelope = {
    payloadType: statementType,
    payload: Buffer.from(statement).toString('base64'),
    signatures: [{ keyid: signer.keyId, sig }],
  }
  return Buffer.from(`${JSON.stringify(envelope)}\n`)
}

/**
 * Verify an envelope and hand out the statement in it. `keys` are the public keys that may sign, in hex, by their TUF key id; one is enough.
 *
 * The key id in an envelope is not signed: it only says which key to try. Nothing of the payload is looked at before its signature.
 * Errors: EVIDENCE_INVALID (no envelope), EVIDENCE_SIGNATURE (none by a key that may sign).
 */
export function openEnvelope(bytes: Uint8Array, keys: ReadonlyMap<string, string>): Buffer {
  const { payloadType, payload, signatures } = parseEnvelope(bytes)
  const signed = preAuthenticationEncoding(payloadType, payload)
  const isSigned = signatures.some(({ keyid, sig }) => {
    const publicKey = keys.get(keyid)
    return publicKey !== undefined && isSignedBy(publicKey, signed, sig)
  })
  if (isSigned) return payload
  throw new ReleaseError(
    'EVIDENCE_SIGNATURE',
    `a provenance is signed by ${signatures.map(({ keyid }) => keyid.slice(0, 64)).join(', ') || 'nobody'}, expected ${[...keys.keys()].join(' or ')}`,
    { details: { expected: [...keys.keys()] } },
  )
}

/**
 * Read the statement of an envelope whose bytes are believed for another reason, such as a signed list that has their digest.
 *
 * Post: no signature was looked at. `keyId` says which key signed first. Errors: EVIDENCE_INVALID.
 */
export function readEnvelope(bytes: Uint8Array): { readonly statement: Buffer; readonly keyId: string } {
  const { payload, signatures } = parseEnvelope(bytes)
  const [first] = signatures
  if (first === undefined) throw invalid('is signed by nobody')
  return { statement: payload, keyId: first.keyid }
}

interface Envelope {
  readonly payloadType: string
  readonly payload: Buffer
  readonly signatures: readonly { readonly keyid: string; readonly sig: Buffer }[]
}

function parseEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.byteLength > maxEnvelopeBytes) throw invalid(`is larger than ${maxEnvelopeBytes} bytes`)
  const json = parseJson(bytes)
  const { payloadType, payload, signatures } = json
  if (payloadType !== statementType) throw invalid(`holds no ${statementType}`)
  if (!isBase64(payload) || !Array.isArray(signatures)) throw invalid('has no payload with signatures')
  return {
    payloadType,
    payload: Buffer.from(payload, 'base64'),
    signatures: signatures.map((each: { readonly keyid?: unknown; readonly sig?: unknown } | null) => {
      if (typeof each?.keyid !== 'string' || !isBase64(each.sig)) throw invalid('has a signature that is none')
      return { keyid: each.keyid, sig: Buffer.from(each.sig, 'base64') }
    }),
  }
}

function parseJson(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    throw invalid('is not one line of JSON')
  }
  if (typeof value !== 'object' || value === null) throw invalid('is not an object')
  return value as Readonly<Record<string, unknown>>
}

function isBase64(value: unknown): value is string {
  return typeof value === 'string' && /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value)
}

function isSignedBy(publicKey: string, bytes: Buffer, signature: Buffer): boolean {
  if (!/^[0-9a-f]{64}$/.test(publicKey)) return false
  const x = Buffer.from(publicKey, 'hex').toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  return verify(undefined, bytes, key, signature)
}

function invalid(problem: string): ReleaseError {
  return new ReleaseError('EVIDENCE_INVALID', `the envelope of a provenance ${problem}`)
}
