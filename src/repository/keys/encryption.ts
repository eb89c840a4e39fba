import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto'
import { canonicalJson } from '../../core/canonical-json.ts'
import { ReleaseError } from '../../core/error.ts'
import type { EncryptedKeyFile, KeyFile } from './key-file.ts'

/** How a private key is encrypted: scrypt makes a key of the passphrase, AES-256-GCM encrypts with it. Binary values are base64. */
export interface Encryption {
  readonly kdf: 'scrypt'
  /** scrypt's N: a power of two. */
  readonly cost: number
  readonly blockSize: number
  readonly parallelization: number
  readonly salt: string
  readonly cipher: 'aes-256-gcm'
  readonly nonce: string
  readonly tag: string
}

/** What scrypt costs. Source: RFC 7914 §2. */
export type ScryptCost = Pick<Encryption, 'cost' | 'blockSize' | 'parallelization'>

/** 128 MiB of memory and a third of a second per guess. Source: OWASP's password storage recommendation for scrypt. */
export const defaultScryptCost: ScryptCost = { cost: 2 ** 17, blockSize: 8, parallelization: 1 }

/** What it cost to encrypt a key. */
export function scryptCostOf({ cost, blockSize, parallelization }: Encryption): ScryptCost {
  return { cost, blockSize, parallelization }
}

/** What is taken from a file at most: a gigabyte of memory. */
const maxCost = 2 ** 20
const maxWorkBytes = 1024 * 1024 * 1024

/** Read how a key is encrypted; undefined when it is not said as expected. */
export function parseEncryption(value: unknown): Encryption | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { kdf, cost, blockSize, parallelization, salt, cipher, nonce, tag } = value as Partial<
    Record<keyof Encryption, unknown>
  >
  if (kdf !== 'scrypt' || cipher !== 'aes-256-gcm') return undefined
  if (!isBetween(cost, 2, maxCost) || (cost & (cost - 1)) !== 0) return undefined
  if (!isBetween(blockSize, 1, 64) || !isBetween(parallelization, 1, 16)) return undefined
  if (memoryBytes({ cost, blockSize, parallelization }) > maxWorkBytes) return undefined
  if (!isBase64(salt, 16) || !isBase64(nonce, 12) || !isBase64(tag, 16)) return undefined
  return { kdf, cost, blockSize, parallelization, salt, cipher, nonce, tag }
}

/** Encrypt the private half of a key. What stands beside it is bound to it: a file with another label or public key does not open. */
export function encryptKey(key: KeyFile, passphrase: string, scryptCost: ScryptCost): EncryptedKeyFile {
  const salt = randomBytes(16)
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', deriveKey(passphrase, salt, scryptCost), nonce)
  cipher.setAAD(boundPart(key))
  const encrypted = Buffer.concat([cipher.update(key.privateKey, 'utf8'), cipher.final()])
  const encryption: Encryption = {
    kdf: 'scrypt',
    ...scryptCost,
    salt: salt.toString('base64'),
    cipher: 'aes-256-gcm',
    nonce: nonce.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'),
  }
  return { ...key, schema: 2, encryption, privateKey: encrypted.toString('base64') }
}

/** Decrypt a key. Errors: KEY_PASSPHRASE (a wrong one, or the file was changed). */
export function decryptKey(file: EncryptedKeyFile, passphrase: string, place: string): KeyFile {
  const { encryption, privateKey, ...label } = file
  const salt = Buffer.from(encryption.salt, 'base64')
  const key = deriveKey(passphrase, salt, encryption)
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(encryption.nonce, 'base64'))
  decipher.setAAD(boundPart(file))
  decipher.setAuthTag(Buffer.from(encryption.tag, 'base64'))
  try {
    const opened = Buffer.concat([decipher.update(privateKey, 'base64'), decipher.final()]).toString('utf8')
    return { ...label, schema: 1, privateKey: opened }
  } catch {
    // The cause says nothing but that the tag does not fit.
    throw new ReleaseError('KEY_PASSPHRASE', `${place} cannot be opened with this passphrase`, {
      details: { path: place },
    })
  }
}

function boundPart(key: KeyFile | EncryptedKeyFile): Buffer {
  const { kind, publicKey } = key
  return Buffer.from(canonicalJson(kind === 'tuf' ? { kind, role: key.role, publicKey } : { kind, publicKey }))
}

function deriveKey(passphrase: string, salt: Buffer, { cost, blockSize, parallelization }: ScryptCost): Buffer {
  const maxmem = memoryBytes({ cost, blockSize, parallelization }) + 1024 * 1024
  return scryptSync(passphrase.normalize('NFC'), salt, 32, { N: cost, r: blockSize, p: parallelization, maxmem })
}

/** Source: RFC 7914 §6 (V, B and XY). */
function memoryBytes({ cost, blockSize, parallelization }: ScryptCost): number {
  return 128 * blockSize * (cost + parallelization + 2)
}

function isBetween(value: unknown, least: number, most: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
}

function isBase64(value: unknown, sizeBytes: number): value is string {
  return (
    typeof value === 'string' &&
    Buffer.from(value, 'base64').toString('base64') === value &&
    decodedSize(value) === sizeBytes
  )
}

const decodedSize = (value: string) => Buffer.from(value, 'base64').byteLength
