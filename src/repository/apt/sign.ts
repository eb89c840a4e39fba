import {
  armor,
  createCleartextMessage,
  createMessage,
  enums,
  generateKey,
  PacketList,
  readKey,
  readPrivateKey,
  sign,
} from 'openpgp'
import type { AptKeyFile } from '../keys/key-file.ts'

/** A signed Release file in both forms that apt reads. */
export interface SignedRelease {
  /** `InRelease`: the text and its signature in one file. */
  readonly inRelease: string
  /** `Release.gpg`: the signature alone. */
  readonly detached: string
}

/**
 * Sign a Release file with every key: while keys are exchanged, a client that knows one of them is content.
 *
 * Pre: the text ends with a line break and no line has trailing blanks.
 * Shape: ed25519 in OpenPGP version 4 with SHA-512, which gpgv since 2.1 and sqv both accept.
 * Source: RFC 9580 §7 (cleartext signatures), apt's SplitClearSignedFile.
 */
export async function signRelease(text: string, keys: readonly AptKeyFile[], nowMs: number): Promise<SignedRelease> {
  const signingKeys = await Promise.all(keys.map(key => readPrivateKey({ armoredKey: key.privateKey })))
  // A signature that is older than its key is none.
  const date = new Date(Math.max(nowMs, ...signingKeys.map(key => key.getCreationTime().getTime())))
  // Ed25519 needs no chance, so that the same publication at the same time has the same bytes: a salt in a notation would change them.
  const config = { preferredHashAlgorithm: enums.hash.sha512, nonDeterministicSignaturesViaNotation: false }
  const inRelease = await sign({ message: await createCleartextMessage({ text }), signingKeys, date, config })
  const message = await createMessage({ binary: Buffer.from(text) })
  const detached = await sign({ message, signingKeys, date, config, detached: true, format: 'armored' })
  return { inRelease, detached }
}

/** Make an ed25519 signing key. Its time lies a minute back, for a client whose clock is a little behind ours. */
export async function generateAptKey(userName: string, nowMs: number): Promise<AptKeyFile> {
  const { privateKey, publicKey } = await generateKey({
    // The older encoding of Curve25519: gpgv 2.2 to 2.4 cannot read the one of RFC 9580.
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: [{ name: userName }],
    subkeys: [],
    date: new Date(nowMs - 60_000),
    format: 'armored',
  })
  const fingerprint = (await readKey({ armoredKey: publicKey })).getFingerprint()
  return { schema: 1, kind: 'openpgp', fingerprint, publicKey, privateKey }
}

/**
 * Write public keys as one armoured block, for `Signed-By` and the file that clients fetch.
 *
 * Shape: one block, for of several readers take the first only; with the checksum that RFC 9580 has no more, for without it
 * `gpg --dearmor` (2.2) leaves a byte behind the keys that makes the last of them unreadable.
 */
export async function renderKeyring(keys: readonly Pick<AptKeyFile, 'publicKey'>[]): Promise<string> {
  const packets = new PacketList()
  for (const { publicKey } of keys) packets.push(...(await readKey({ armoredKey: publicKey })).toPacketList())
  return armor(enums.armor.publicKey, packets.write(), undefined, undefined, undefined, true)
}
