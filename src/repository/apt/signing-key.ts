import { createPrivateKey, hash, type KeyObject } from 'node:crypto'
import { ReleaseError } from '../../core/error.ts'
import type { AptKeyFile } from '../keys/key-file.ts'

/** An OpenPGP key that is ready to sign. */
export interface SigningKey {
  /** 20 bytes. */
  readonly fingerprint: Buffer
  readonly createdSeconds: number
  readonly key: KeyObject
}

/** EdDSA (22), the object identifier of Ed25519 behind its length, and a number of 263 bits: the prefix 0x40 before 32 bytes. */
const algorithm = Buffer.from('16092b06010401da470f01010740', 'hex')
const keyBytes = 32
/** Everything of the packet before the secret: version 4, four bytes of time, the algorithm, the public key. */
const publicBytes = 5 + algorithm.byteLength + keyBytes
/** PKCS #8 of an Ed25519 key up to its 32 bytes. Source: RFC 8410 §7. */
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex')

/**
 * Read an armoured private key as {@link generateAptKey} makes it.
 *
 * Errors: KEY_INVALID for any other, nothing of it in the message. Source: RFC 9580 §5.5.3 (secret key packet), §6.2 (armour).
 */
export function readSigningKey({ privateKey, fingerprint }: AptKeyFile): SigningKey {
  const packets = dearmored(privateKey)
  // A packet of tag 5 in the newer form, shorter than 192 bytes: the user's name and its certificate come behind it.
  const packet = packets[0] === 0xc5 && packets[1]! < 192 ? packets.subarray(2, 2 + packets[1]!) : Buffer.alloc(0)
  const publicPart = packet.subarray(0, publicBytes)
  const secret = secretOf(packet.subarray(publicBytes))
  if (publicPart[0] !== 4 || !publicPart.subarray(5, -keyBytes).equals(algorithm) || secret === undefined) {
    throw new ReleaseError('KEY_INVALID', `the OpenPGP key ${fingerprint} is none that \`release\` made`, {
      hint: 'make one of ours: release keys rotate apt',
      details: { fingerprint },
    })
  }
  const hashed = Buffer.concat([Buffer.from([0x99, 0, publicBytes]), publicPart])
  return {
    fingerprint: hash('sha1', hashed, 'buffer'),
    createdSeconds: publicPart.readUInt32BE(1),
    key: createPrivateKey({ key: Buffer.concat([pkcs8, secret]), format: 'der', type: 'pkcs8' }),
  }
}

/** The 32 bytes of an unencrypted secret: a zero, the number behind its length in bits, a sum over both. */
function secretOf(part: Buffer): Buffer | undefined {
  const number = part.subarray(1, -2)
  if (part[0] !== 0 || number.byteLength < 3 || number.byteLength > 2 + keyBytes) return undefined
  const sum = number.reduce((total, byte) => total + byte, 0) & 0xffff
  if (part.readUInt16BE(part.byteLength - 2) !== sum) return undefined
  const bytes = number.subarray(2)
  // A number has no leading zeros.
  return Buffer.concat([Buffer.alloc(keyBytes - bytes.byteLength), bytes])
}

function dearmored(text: string): Buffer {
  const lines = text.split(/\r?\n/)
  const body = lines.slice(lines.indexOf('') + 1).filter(line => /^[A-Za-z0-9+/]/.test(line))
  return Buffer.from(body.join(''), 'base64')
}
