import { hash, sign } from 'node:crypto'
import type { AptKeyFile } from '../keys/key-file.ts'
import { readSigningKey, type SigningKey } from './signing-key.ts'

/** A signed Release file in both forms that apt reads. */
export interface SignedRelease {
  /** `InRelease`: the text and its signature in one file. */
  readonly inRelease: string
  /** `Release.gpg`: the signature alone. */
  readonly detached: string
}

/** What a signature is over: the bytes of a file, or a text whatever its line breaks. Source: RFC 9580 §5.2.1. */
type SignatureType = 0x00 | 0x01

/**
 * Sign a Release file with every key: while keys are exchanged, a client that knows one of them is content.
 *
 * Pre: the text ends with a line break and no line has trailing blanks.
 * Shape: ed25519 in OpenPGP version 4 with SHA-512, which gpgv since 2.1 and sqv both accept. The bytes are those of the library openpgp, as a
 * test compares: to load it and sign with it took a fifth of the whole time of publishing one package.
 * Errors: KEY_INVALID. Source: RFC 9580 §7 (cleartext signatures), apt's SplitClearSignedFile.
 */
export function signRelease(text: string, keys: readonly AptKeyFile[], nowMs: number): SignedRelease {
  const signingKeys = keys.map(readSigningKey)
  // A signature that is older than its key is none.
  const seconds = Math.max(Math.floor(nowMs / 1000), ...signingKeys.map(key => key.createdSeconds))
  const armouredOf = (bytes: Buffer, type: SignatureType) =>
    armoured(Buffer.concat(signingKeys.map(key => signaturePacket(bytes, type, { key, seconds }))))
  const lines = text.replaceAll('\n', '\r\n')
  return {
    inRelease: [
      '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n',
      lines.replaceAll(/^-/gm, '- -'),
      // The line break before a signature is not signed.
      `\n${armouredOf(Buffer.from(lines), 0x01)}`,
    ].join(''),
    detached: armouredOf(Buffer.from(text), 0x00),
  }
}

/** Source: RFC 9580 §5.2.3 (version 4), §5.2.4 (what is hashed), §4.2.1 (packet header). */
function signaturePacket(bytes: Buffer, type: SignatureType, signer: { key: SigningKey; seconds: number }): Buffer {
  const { fingerprint, key } = signer.key
  const parts = Buffer.concat([
    // When it was made, which a reader has to understand; by the key of this number; and of this fingerprint, which has version 4.
    subpacket(0x80 | 2, uint32(signer.seconds)),
    subpacket(16, fingerprint.subarray(-8)),
    subpacket(33, Buffer.concat([Buffer.from([4]), fingerprint])),
  ])
  // EdDSA (22), SHA-512 (10).
  const hashed = Buffer.concat([Buffer.from([4, type, 22, 10, 0, parts.byteLength]), parts])
  const trailer = Buffer.concat([Buffer.from([4, 0xff]), uint32(hashed.byteLength)])
  const digest = hash('sha512', Buffer.concat([bytes, hashed, trailer]), 'buffer')
  const signature = sign(null, digest, key)
  const body = Buffer.concat([
    ...[hashed, Buffer.from([0, 0]), digest.subarray(0, 2)],
    ...[number(signature.subarray(0, 32)), number(signature.subarray(32))],
  ])
  return Buffer.concat([Buffer.from([0xc0 | 2, body.byteLength]), body])
}

function subpacket(type: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([bytes.byteLength + 1, type]), bytes])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** A number without leading zeros behind its length in bits. Source: RFC 9580 §3.2. */
function number(bytes: Buffer): Buffer {
  const start = bytes.findIndex(byte => byte !== 0)
  const digits = start < 0 ? Buffer.alloc(0) : bytes.subarray(start)
  const bits = digits.byteLength * 8 - (digits.byteLength === 0 ? 0 : Math.clz32(digits[0]!) - 24)
  return Buffer.concat([Buffer.from([bits >> 8, bits & 0xff]), digits])
}

/** Source: RFC 9580 §6.2. The checksum is for readers of before it. */
function armoured(packets: Buffer): string {
  const lines = packets.toString('base64').match(/.{1,60}/g) ?? []
  const sum = uint32(checksum(packets)).subarray(1).toString('base64')
  return ['-----BEGIN PGP SIGNATURE-----', '', ...lines, `=${sum}`, '-----END PGP SIGNATURE-----', ''].join('\n')
}

/** Source: RFC 9580 §6.1.1, CRC-24. */
function checksum(bytes: Buffer): number {
  let sum = 0xb704ce
  for (const byte of bytes) {
    sum ^= byte << 16
    for (let bit = 0; bit < 8; bit += 1) sum = (sum << 1) ^ ((sum & 0x800000) === 0 ? 0 : 0x1864cfb)
  }
  return sum & 0xffffff
}
